//! Words of the language become paths to their documentation, for editors to
//! show.

use pode_core::model::ConnectionEvent;
use pode_core::{Method, Protocol};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

use crate::resolve::certificate::{CERTIFICATE, CLIENT_CERTIFICATE};
use crate::syntax::{Action, Kind, Receiver, Written};

/// Uses the documented item of each word, wherever it was written.
pub(super) fn uses(written: &Written) -> TokenStream {
    let mut words = vec![&written.server.noun];
    for declaration in written.declarations.iter().filter(|declaration| declaration.is_read) {
        words.push(&declaration.noun);
        match &declaration.kind {
            Kind::Endpoint(endpoint) => {
                words.extend(Some(&endpoint.protocol).filter(known(Protocol::parse)));
                let options = endpoint.options.fields.iter().map(|field| &field.name);
                let known = [CERTIFICATE, CLIENT_CERTIFICATE];
                words.extend(options.filter(|name| known.iter().any(|word| *name == word)));
            }
            Kind::Backplane(backplane) => {
                words.extend(Some(&backplane.kind).filter(|kind| *kind == "redis"));
            }
            Kind::Route(route) => {
                words.extend(route.methods.iter().filter(known(Method::parse)));
                if let Action::View { word, .. } | Action::Redirect { word, .. } = &route.action {
                    words.push(word);
                }
            }
            Kind::Signal(signal) => {
                if let Some(Receiver::Rebroadcast(word)) = &signal.receiver {
                    words.push(word);
                }
            }
            Kind::On(on) => words.extend(Some(&on.event).filter(known(ConnectionEvent::parse))),
            Kind::Timer(timer) => words.push(&timer.every),
            Kind::Schedule(schedule) => words.push(&schedule.cron),
            _ => {}
        }
    }
    quote! {
        let _: ::core::marker::PhantomData<(#(::pode::keyword::#words,)*)>;
    }
}

/// Words at positions where any other word might stand, too.
fn known<T>(parse: fn(&str) -> Option<T>) -> impl Fn(&&Ident) -> bool {
    move |word| parse(&word.to_string()).is_some()
}
