//! From source to model: the parsers shared with the run time parse each value,
//! or report a mistake.
//!
//! A declaration whose values can't be parsed is left out of the model, which
//! is then marked as incomplete. Nothing here depends on other declarations.
//!
//! Beside the nouns: `options` and `path` are common to them, `receiver` and `closure`
//! look at handlers, `feature` knows what a build may leave out.

pub(crate) mod backplane;
pub(crate) mod certificate;
mod closure;
mod endpoint;
mod feature;
mod mount;
mod on;
mod operations;
pub(crate) mod options;
mod path;
mod public;
mod receiver;
mod route;
#[cfg(feature = "schedule")]
mod schedule;
mod server;
mod signal;
mod state;
mod timer;
mod upstream;
pub(crate) mod views;

use closure::Parameter;
use pode_core::check::Code;
use pode_core::model::{Head, Name, Server};
use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::LitStr;
use syn::ext::IdentExt;

use crate::diagnostic::{Mistakes, Places};
use crate::syntax::{Declaration, Kind, Written};

/// Returns the model of the source, and the positions of its places.
pub(crate) fn resolve(written: &Written, mistakes: &mut Mistakes) -> (Server, Places) {
    let mut model = Server { incomplete: written.incomplete, ..Server::default() };
    let parameters = Parameter::all_of(&written.server);
    let mut resolver = Resolver { places: Places::default(), mistakes, parameters };
    resolver.options(&written.server.options);
    resolver.limits_inside(&written.server.options);
    let mut options = written.server.options.fields.iter();
    model.own_policy = options.any(|field| field.name == options::POLICY);
    model.behind_proxies = written.declarations.iter().any(|declaration| {
        let Kind::Endpoint(endpoint) = &declaration.kind else { return false };
        endpoint.options.fields.iter().any(|field| field.name == options::TRUSTED_PROXIES)
    });
    let mut options = written.server.options.fields.iter();
    model.hands_over = options.any(|field| field.name == server::HAND_OVER);
    resolver.hand_over(&written.server.options);
    resolver.client_ids(&written.server.options);
    resolver.limits(&written.server.options);
    for (index, declaration) in written.declarations.iter().enumerate() {
        resolver.places.begin(index);
        if !declaration.is_read {
            model.incomplete = true;
            continue;
        }
        if !resolver.has_features(declaration) {
            model.incomplete = true;
            continue;
        }
        let head = resolver.head(index, declaration);
        let understood = match &declaration.kind {
            Kind::Endpoint(endpoint) => {
                resolver.endpoint(head, endpoint).map(|meant| model.endpoints.push(meant))
            }
            Kind::Backplane(backplane) => resolver
                .backplane(head, backplane, &written.server.name)
                .map(|meant| model.backplanes.push(meant)),
            Kind::Operations(operations) => {
                resolver.operations(head, operations).map(|meant| model.operations.push(meant))
            }
            Kind::Views(views) => resolver.views(head, views).map(|meant| model.views.push(meant)),
            Kind::Public(public) => {
                resolver.public(head, public).map(|meant| model.publics.push(meant))
            }
            Kind::Mount(mount) => resolver.mount(head, mount).map(|meant| model.mounts.push(meant)),
            Kind::Route(route) => resolver.route(head, route).map(|meant| model.routes.push(meant)),
            Kind::Signal(signal) => {
                resolver.signal(head, signal).map(|meant| model.signals.push(meant))
            }
            Kind::On(on) => resolver.on(head, on).map(|meant| model.ons.push(meant)),
            Kind::State(state) => resolver.state(head, state).map(|meant| model.states.push(meant)),
            Kind::Timer(timer) => resolver.timer(head, timer).map(|meant| model.timers.push(meant)),
            #[cfg(feature = "schedule")]
            Kind::Schedule(schedule) => {
                resolver.schedule(head, schedule).map(|meant| model.schedules.push(meant))
            }
            #[cfg(not(feature = "schedule"))]
            Kind::Schedule(_) => None,
            Kind::Upstream(upstream) => {
                resolver.upstream(head, upstream).map(|meant| model.upstreams.push(meant))
            }
        };
        model.incomplete |= understood.is_none();
    }
    (model, resolver.places)
}

/// Collects places and mistakes; each noun adds its own method.
struct Resolver<'mistakes> {
    places: Places,
    mistakes: &'mistakes mut Mistakes,
    parameters: Vec<Parameter>,
}

impl Resolver<'_> {
    fn head(&mut self, index: usize, declaration: &Declaration) -> Head {
        let cfgs =
            declaration.attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
        let cfgs: Vec<String> = cfgs.map(|cfg| cfg.to_token_stream().to_string()).collect();
        Head {
            index,
            noun: self.places.add(declaration.noun.span()),
            cfg: (!cfgs.is_empty()).then(|| cfgs.join(" ")),
        }
    }

    fn word(&mut self, word: &Ident) -> Name {
        Name { text: word.unraw().to_string(), place: self.places.add(word.span()) }
    }

    fn text(&mut self, text: &LitStr) -> Name {
        Name { text: text.value(), place: self.places.add(text.span()) }
    }

    /// Adds a mistake; the returned `None` replaces the declaration.
    fn mistake<T>(
        &mut self,
        code: Code,
        span: Span,
        message: impl AsRef<str>,
        help: impl AsRef<str>,
    ) -> Option<T> {
        self.mistakes.add(code, span, message, help);
        None
    }
}
