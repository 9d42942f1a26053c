//! Backplanes: parses their kind, URL and name.

use pode_core::RedisUrl;
use pode_core::backplane::{KEPT_MESSAGES_BY_DEFAULT, check_name};
use pode_core::check::{Code, help_with_choices};
use pode_core::model::{Backplane, Head};
use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit};

use super::Resolver;
use super::options::text;
use super::upstream::ROOTS;
use crate::shown::shown;
use crate::syntax;

/// All there are.
const KINDS: [&str; 1] = ["redis"];

/// The option that says by which name nodes find each other.
pub(crate) const NAME: &str = "name";

/// The option that says how many messages are kept for nodes that were away.
const KEPT: &str = "kept_messages";

impl Resolver<'_> {
    /// `server` is the name of the server, by which its nodes find each other if there
    /// is no other.
    pub(super) fn backplane(
        &mut self,
        head: Head,
        written: &syntax::Backplane,
        server: &Ident,
    ) -> Option<Backplane> {
        let url = self.kind(&written.kind).and_then(|()| self.redis_url(&written.url));
        let options = self.options(&written.options);
        let name = self.nodes_name(written, server);
        url.and(options).and(name)?;
        let kept_messages = match written.options.fields.iter().any(|field| field.name == KEPT) {
            true => self.number(&written.options, KEPT),
            false => Some((KEPT_MESSAGES_BY_DEFAULT as u64, self.places.add(written.kind.span()))),
        };
        let names_roots = written.options.fields.iter().any(|field| field.name == ROOTS);
        Some(Backplane { head, kept_messages, names_roots })
    }

    fn kind(&mut self, kind: &Ident) -> Option<()> {
        let word = kind.unraw().to_string();
        if KINDS.contains(&word.as_str()) {
            return Some(());
        }
        let help = help_with_choices(&word, &KINDS, "the only one is");
        let message = format!("unknown backplane `{word}`");
        self.mistake(Code::UnknownBackplane, kind.span(), message, help)
    }

    /// Checks a literal URL; any other is checked at the start.
    fn redis_url(&mut self, url: &Expr) -> Option<()> {
        if let Expr::Lit(ExprLit { lit, .. }) = url
            && text(url).is_none()
        {
            let message = format!("`{}` is no URL of a Redis", shown(lit));
            let help = "write it like `\"redis://localhost:6379\"`";
            return self.mistake(Code::RedisUrl, url.span(), message, help);
        }
        let Some(literal) = text(url) else { return Some(()) };
        match literal.value().parse::<RedisUrl>() {
            Ok(_) => Some(()),
            Err(error) => {
                let (message, help) = (error.to_string(), error.help());
                self.mistake(Code::RedisUrl, url.span(), message, help)
            }
        }
    }

    /// Checks a literal name, or where there is none that of the server.
    fn nodes_name(&mut self, written: &syntax::Backplane, server: &Ident) -> Option<()> {
        let field = written.options.fields.iter().rfind(|field| field.name == NAME);
        let (name, span) = match field {
            Some(field) => match text(&field.value) {
                Some(name) => (name.value(), name.span()),
                None => return Some(()),
            },
            None => (server.unraw().to_string(), written.kind.span()),
        };
        let Err(error) = check_name(&name) else { return Some(()) };
        let help = match field {
            Some(_) => error.help().to_owned(),
            None => format!("add `{{ {NAME}: \"shop\" }}`"),
        };
        self.mistake(Code::BackplaneName, span, error.to_string(), help)
    }
}
