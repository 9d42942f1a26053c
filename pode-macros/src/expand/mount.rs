//! A mounted filter becomes one call.

use pode_core::model::Mount;
use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::spanned::Spanned;

use super::Expansion;
use crate::syntax::Kind;

impl Expansion<'_> {
    pub(super) fn mount(&self, mount: &Mount) -> TokenStream {
        let Kind::Mount(written) = self.kind(&mount.head) else {
            return TokenStream::new();
        };
        let (declared, cfgs, filter) = (&self.declared, self.cfgs(&mount.head), &written.filter);
        let prefix = mount.prefix.to_string();
        quote_spanned! { filter.span()=> #cfgs #declared.mount(#prefix, #filter); }
    }
}
