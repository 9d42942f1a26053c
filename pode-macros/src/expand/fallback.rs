//! Replacements after a mistake, so that it causes no further errors.

use pode_core::model::{self, Server};
use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::{cfgs, has_constant};
use crate::diagnostic::Mistakes;
use crate::syntax::{Action, Kind, On, Receiver, Route, Schedule, Timer, Written};

/// Uses names from declarations that were not understood: rustc would report
/// them as unused, which they aren't.
pub(super) fn unused(written: &Written, model: &Server, mistakes: &Mistakes) -> TokenStream {
    let mut uses = TokenStream::new();
    if !mistakes.is_empty() {
        let parameters = written.server.named_parameters();
        uses.extend(parameters.map(|(name, _)| quote! { let _ = &#name; }));
    }
    for (index, declaration) in written.declarations.iter().enumerate() {
        let mut uses = |handler: &TokenStream| {
            if syn::parse2::<syn::ExprPath>(handler.clone()).is_ok() {
                let cfgs = cfgs(&declaration.attributes);
                uses.extend(quote! { #cfgs let _ = &#handler; });
            }
        };
        let (handler, understood) = match &declaration.kind {
            Kind::Route(Route { action: Action::Handler(handler), .. }) => {
                (handler, model.routes.iter().any(|meant| meant.head.index == index))
            }
            Kind::Signal(signal) => {
                let Some(Receiver::Handler { handler, .. }) = &signal.receiver else { continue };
                let received = |meant: &model::Signal| {
                    meant.head.index == index
                        && meant.receiver.is_some()
                        && meant.takes_its_parameters()
                        && has_constant(written, index)
                };
                (handler, model.signals.iter().any(received))
            }
            Kind::On(On { handler, .. }) => {
                let declared = |meant: &model::On| {
                    meant.head.index == index
                        && meant.signals(model).iter().any(|signal| {
                            signal.takes_its_parameters()
                                && has_constant(written, signal.head.index)
                        })
                };
                (handler, model.ons.iter().any(declared))
            }
            Kind::Timer(Timer { handler, .. }) => {
                (handler, model.timers.iter().any(|meant| meant.head.index == index))
            }
            Kind::Schedule(Schedule { handler, .. }) => {
                (handler, model.schedules.iter().any(|meant| meant.head.index == index))
            }
            Kind::Upstream(upstream) => {
                if !model.upstreams.iter().any(|meant| meant.head.index == index) {
                    upstream.handler.iter().for_each(&mut uses);
                    let openings =
                        upstream.on_connect.iter().map(|field| field.value.to_token_stream());
                    openings.for_each(|opening| uses(&opening));
                }
                continue;
            }
            _ => continue,
        };
        if !understood {
            uses(handler);
        }
    }
    uses
}
