//! What stands in after a mistake, so that nothing else fails for it.

use pode_core::model::Server;
use proc_macro2::TokenStream;
use quote::quote;

use super::cfgs;
use crate::syntax::{Action, Kind, Written};

/// Uses the handlers of routes that were not understood: rustc would call the
/// functions unused, which they aren't.
pub(super) fn unused_handlers(written: &Written, model: &Server) -> TokenStream {
    let mut uses = TokenStream::new();
    for (index, declaration) in written.declarations.iter().enumerate() {
        let Kind::Route(route) = &declaration.kind else {
            continue;
        };
        let Action::Handler(handler) = &route.action else {
            continue;
        };
        let understood = model.routes.iter().any(|meant| meant.head.index == index);
        if !understood && syn::parse2::<syn::ExprPath>(handler.clone()).is_ok() {
            let cfgs = cfgs(&declaration.attributes);
            uses.extend(quote! { #cfgs let _ = &#handler; });
        }
    }
    uses
}
