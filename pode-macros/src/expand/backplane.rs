//! A backplane becomes one call.

use pode_core::model::Backplane;
use proc_macro2::TokenStream;
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

use super::{Expansion, options};
use crate::syntax::Kind;

impl Expansion<'_> {
    pub(super) fn backplane(&self, backplane: &Backplane) -> TokenStream {
        let Kind::Backplane(written) = self.kind(&backplane.head) else {
            return TokenStream::new();
        };
        let (declared, cfgs, url) = (&self.declared, self.cfgs(&backplane.head), &written.url);
        let words = self.words("backplane_words", &written.options);
        let ty = format_ident!("BackplaneOptions");
        let options = options::fields(Some(words), &ty, &[], &written.options);
        let kind = format_ident!("{}", written.kind, span = url.span());
        quote_spanned! { url.span()=>
            #cfgs #declared.backplane(::pode::__private::Backplane::#kind(#url, #options));
        }
    }
}
