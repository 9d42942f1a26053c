//! The handler for clients that connect or disconnect becomes one call.

use pode_core::model::{On, Server, Signal};
use proc_macro2::TokenStream;
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

use super::{Expansion, by_kind, cfgs, has_constant};
use crate::syntax::Kind;

impl Expansion<'_> {
    pub(super) fn on(&self, on: &On, model: &Server) -> TokenStream {
        let Kind::On(written) = self.kind(&on.head) else {
            return TokenStream::new();
        };
        let (judged, name, handler) = (self.cfgs(&on.head), &written.signal, &written.handler);
        // rustc reports errors of the handler at the handler.
        let span = handler.span();
        let declared = self.declared_at(span);
        let called = self.handler(handler);
        let signals = on.signals(model).into_iter();
        let has_constant = |signal: &&Signal| has_constant(self.written, signal.head.index);
        let signals = signals.filter(|signal| signal.takes_its_parameters()).filter(has_constant);
        let calls = signals.map(|signal| {
            let (event, count) = (on.event.as_str(), signal.path.parameters().count());
            let kind = by_kind(handler, "", "function_");
            let call = format_ident!("on_{event}_{kind}{count}", span = span);
            // Of several signals, the one that exists in the build decides.
            let attributes = &self.written.declarations[signal.head.index].attributes;
            let others = (!signal.head.meets(&on.head)).then(|| cfgs(attributes));
            quote_spanned! { span=> #judged #others #declared.#call(#name, #called); }
        });
        calls.collect()
    }
}
