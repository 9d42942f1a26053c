//! What is done when clients come and go becomes one call.

use pode_core::model::{On, Server};
use proc_macro2::TokenStream;
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

use super::Expansion;
use crate::syntax::Kind;

impl Expansion<'_> {
    pub(super) fn on(&self, on: &On, model: &Server) -> TokenStream {
        let Kind::On(written) = self.kind(&on.head) else {
            return TokenStream::new();
        };
        let (cfgs, name, handler) = (self.cfgs(&on.head), &written.signal, &written.handler);
        // What rustc has to say about the handler stands at the handler.
        let span = handler.span();
        let declared = self.declared_at(span);
        let calls = on.signals(model).into_iter().map(|signal| {
            let call = format_ident!("on_{}_0", on.event.as_str(), span = span);
            // Of several signals, the one decides that is there.
            let others = (!signal.head.meets(&on.head)).then(|| self.cfgs(&signal.head));
            quote_spanned! { span=> #cfgs #others #declared.#call(#name, #handler); }
        });
        calls.collect()
    }
}
