//! What stands in after a mistake, so that nothing else fails for it.

use pode_core::model::Server;
use proc_macro2::TokenStream;
use quote::quote;

use super::cfgs;
use crate::syntax::{Action, Kind, Route, Schedule, Timer, Written};

/// Uses what declarations name that were not understood: rustc would call it
/// unused, which it isn't.
pub(super) fn unused(written: &Written, model: &Server) -> TokenStream {
    let mut uses = TokenStream::new();
    if model.incomplete {
        let parameters = written.server.named_parameters();
        uses.extend(parameters.map(|(name, _)| quote! { let _ = &#name; }));
    }
    for (index, declaration) in written.declarations.iter().enumerate() {
        let (handler, understood) = match &declaration.kind {
            Kind::Route(Route { action: Action::Handler(handler), .. }) => {
                (handler, model.routes.iter().any(|meant| meant.head.index == index))
            }
            Kind::Timer(Timer { handler, .. }) => {
                (handler, model.timers.iter().any(|meant| meant.head.index == index))
            }
            Kind::Schedule(Schedule { handler, .. }) => {
                (handler, model.schedules.iter().any(|meant| meant.head.index == index))
            }
            _ => continue,
        };
        if !understood && syn::parse2::<syn::ExprPath>(handler.clone()).is_ok() {
            let cfgs = cfgs(&declaration.attributes);
            uses.extend(quote! { #cfgs let _ = &#handler; });
        }
    }
    uses
}
