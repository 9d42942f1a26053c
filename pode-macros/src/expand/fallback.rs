//! What stands in after a mistake, so that nothing else fails for it.

use pode_core::model::Server;
use proc_macro2::TokenStream;
use quote::quote;

use super::cfgs;
use crate::syntax::{Action, Kind, Route, Schedule, Timer, Written};

/// Uses the handlers of declarations that were not understood: rustc would call the
/// functions unused, which they aren't.
pub(super) fn unused_handlers(written: &Written, model: &Server) -> TokenStream {
    let mut uses = TokenStream::new();
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
