//! What stands in after a mistake, so that nothing else fails for it.

use pode_core::model::{self, Server};
use proc_macro2::TokenStream;
use quote::quote;

use super::cfgs;
use crate::diagnostic::Mistakes;
use crate::syntax::{Action, Kind, On, Receiver, Route, Schedule, Signal, Timer, Written};

/// Uses what declarations name that were not understood: rustc would call it
/// unused, which it isn't.
pub(super) fn unused(written: &Written, model: &Server, mistakes: &Mistakes) -> TokenStream {
    let mut uses = TokenStream::new();
    if !mistakes.is_empty() {
        let parameters = written.server.named_parameters();
        uses.extend(parameters.map(|(name, _)| quote! { let _ = &#name; }));
    }
    for (index, declaration) in written.declarations.iter().enumerate() {
        let (handler, understood) = match &declaration.kind {
            Kind::Route(Route { action: Action::Handler(handler), .. }) => {
                (handler, model.routes.iter().any(|meant| meant.head.index == index))
            }
            Kind::Signal(Signal { receiver: Some(Receiver::Handler { handler, .. }), .. }) => {
                let received = |meant: &&model::Signal| meant.receiver.is_some();
                let meant = model.signals.iter().find(|meant| meant.head.index == index);
                (handler, meant.filter(received).is_some())
            }
            Kind::On(On { handler, .. }) => {
                let meant = model.ons.iter().find(|meant| meant.head.index == index);
                (handler, meant.is_some_and(|meant| !meant.signals(model).is_empty()))
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
