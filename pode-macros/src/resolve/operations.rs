//! Operations: the name of their endpoint.

use pode_core::check::Code;
use pode_core::model::{Head, Operations};
use syn::Expr;
use syn::spanned::Spanned;

use super::Resolver;
use super::options::ENDPOINT;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn operations(
        &mut self,
        head: Head,
        written: &syntax::Operations,
    ) -> Option<Operations> {
        let mut understood = self.options(&written.options);
        let mut endpoint = None;
        for field in &written.options.fields {
            if field.name != ENDPOINT {
                let message = format!("`operations` has no option `{}`", field.name);
                let help = "its only option is `endpoint`";
                understood = self.mistake(Code::UnknownOption, field.name.span(), message, help);
                continue;
            }
            let name = match &field.value {
                Expr::Path(path) => path.path.get_ident(),
                _ => None,
            };
            endpoint = match name {
                Some(name) => Some(self.word(name)),
                None => self.mistake(
                    Code::UnknownEndpoint,
                    field.value.span(),
                    "expected the name of one endpoint",
                    "write `endpoint: name`, as in `endpoint name http \"…\";`",
                ),
            };
        }
        understood?;
        Some(Operations { head, endpoint: endpoint? })
    }
}
