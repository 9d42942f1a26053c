//! Operations become one call.

use pode_core::model::Operations;
use proc_macro2::TokenStream;
use quote::quote;

use super::Expansion;

impl Expansion<'_> {
    pub(super) fn operations(&self, operations: &Operations) -> TokenStream {
        let (declared, cfgs) = (&self.declared, self.cfgs(&operations.head));
        let endpoint = &operations.endpoint.text;
        quote! { #cfgs #declared.operations(#endpoint); }
    }
}
