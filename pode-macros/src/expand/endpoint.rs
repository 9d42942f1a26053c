//! An endpoint becomes one call.

use pode_core::model::Endpoint;
use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;

use super::{Expansion, certificate, options, variant};
use crate::syntax::Kind;

impl Expansion<'_> {
    pub(super) fn endpoint(&self, endpoint: &Endpoint) -> TokenStream {
        let Kind::Endpoint(written) = self.kind(&endpoint.head) else {
            return TokenStream::new();
        };
        let (declared, cfgs, address) =
            (&self.declared, self.cfgs(&endpoint.head), &written.address);
        let name = match &endpoint.name {
            Some(name) => {
                let name = &name.text;
                quote! { ::core::option::Option::Some(#name) }
            }
            None => quote! { ::core::option::Option::None },
        };
        let protocol = variant(endpoint.protocol);
        let protocol = quote! { ::pode::__private::Protocol::#protocol };
        let ty = format_ident!("EndpointOptions");
        let words = self.words("endpoint_words", &written.options);
        let words = certificate::words(endpoint, &words);
        let options = options::fields(Some(words), &ty, &[], &written.options);
        quote_spanned! { address.span()=>
            #cfgs #declared.endpoint(#name, #protocol, #address, #options);
        }
    }
}
