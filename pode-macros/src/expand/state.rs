//! A state becomes a constant, and one call.

use pode_core::model::State;
use proc_macro2::TokenStream;
use quote::quote_spanned;
use syn::ext::IdentExt;
use syn::spanned::Spanned;

use super::{Expansion, documented, has_constant, of_any_types, visible_at};
use crate::syntax::{Kind, Written};

impl Expansion<'_> {
    pub(super) fn state(&self, state: &State) -> TokenStream {
        let Kind::State(written) = self.kind(&state.head) else {
            return TokenStream::new();
        };
        let (declared, cfgs) = (&self.declared, self.cfgs(&state.head));
        let (ty, value, title) = (&written.ty, &written.value, written.name.unraw().to_string());
        // Not by the constant, so that rustc tells of one that no handler uses.
        quote_spanned! { ty.span()=> #cfgs #declared.state::<#ty>(#title, #value); }
    }
}

/// Writes the constants of all states.
pub(super) fn constants(written: &Written) -> TokenStream {
    let mut constants = TokenStream::new();
    for (index, declaration) in written.declarations.iter().enumerate() {
        let Kind::State(state) = &declaration.kind else {
            continue;
        };
        if !has_constant(written, index) {
            continue;
        }
        let attributes = &declaration.attributes;
        let visibility = visible_at(written, state.name.span());
        let (name, ty, title) = (&state.name, &state.ty, state.name.unraw().to_string());
        let allowed = of_any_types(written);
        let page = documented(attributes, || format!("The state `{title}`."));
        constants.extend(quote_spanned! { name.span()=>
            #(#attributes)*
            #page
            #allowed
            #visibility const #name: ::pode::StateName<#ty> = ::pode::StateName::new(#title);
        });
    }
    constants
}
