//! Features: what a declaration needs that a user's build may leave out.

use pode_core::check::Code;
use pode_core::feature::advice;
use pode_core::model::Source;
use pode_core::{Protocol, RedisUrl};
use proc_macro2::Span;
use syn::Expr;
use syn::spanned::Spanned;

use super::Resolver;
use super::certificate::{CERTIFICATE, CLIENT_CERTIFICATE};
use super::options::text;
use super::upstream::ROOTS;
use crate::feature::Feature;
use crate::syntax::{
    Action, Argument, Backplane, Declaration, Endpoint, Kind, Options, Route, Upstream,
};

/// Where a feature is needed, and for what.
type Need = (Feature, Span, String);

impl Resolver<'_> {
    /// Tells whether this build has all that a declaration needs, and reports
    /// each word for which it lacks a feature. Where the declaration's `#[cfg]`
    /// is off, that is no mistake.
    pub(super) fn has_features(&mut self, declaration: &Declaration) -> bool {
        let lacking = needs(declaration).into_iter().filter(|(feature, ..)| !feature.is_on());
        let mut has_all = true;
        for (feature, span, what) in lacking {
            has_all = false;
            let feature = feature.name();
            let message = format!("{what} needs the feature `{feature}` of `pode`");
            let help = advice(feature);
            self.mistakes.add_where(&declaration.attributes, Code::FeatureOff, span, message, help);
        }
        has_all
    }
}

fn needs(declaration: &Declaration) -> Vec<Need> {
    let noun = |feature, what: &str| vec![(feature, declaration.noun.span(), what.to_owned())];
    match &declaration.kind {
        Kind::Endpoint(endpoint) => of_endpoint(endpoint),
        Kind::Backplane(backplane) => match Feature::Redis.is_on() {
            true => of_backplane(backplane),
            false => noun(Feature::Redis, "a backplane"),
        },
        Kind::Route(route) => of_route(route),
        Kind::Views(_) => noun(Feature::Views, "`views`"),
        Kind::Schedule(_) => noun(Feature::Schedule, "a schedule"),
        Kind::Upstream(upstream) => match Feature::Upstream.is_on() {
            true => of_upstream(upstream),
            false => noun(Feature::Upstream, "an upstream"),
        },
        Kind::Operations(_)
        | Kind::Public(_)
        | Kind::Mount(_)
        | Kind::Signal(_)
        | Kind::On(_)
        | Kind::State(_)
        | Kind::Timer(_) => Vec::new(),
    }
}

fn of_endpoint(endpoint: &Endpoint) -> Vec<Need> {
    let protocol = endpoint.protocol.to_string();
    let is_secure = Protocol::parse(&protocol).is_some_and(Protocol::is_secure);
    if is_secure && !Feature::Tls.is_on() {
        let article = if protocol == "wss" { "a" } else { "an" };
        let what = format!("{article} `{protocol}` endpoint");
        return vec![(Feature::Tls, endpoint.protocol.span(), what)];
    }
    let mut needs = Vec::new();
    for field in &endpoint.options.fields {
        if field.name == CERTIFICATE || field.name == CLIENT_CERTIFICATE {
            needs.push((Feature::Tls, field.name.span(), format!("`{}`", field.name)));
            of_certificate(&field.value, &mut needs);
        }
    }
    needs
}

/// Finds `pfx(…)`, and `pem(…).password(…)`, also in brackets.
fn of_certificate(value: &Expr, needs: &mut Vec<Need>) {
    match value {
        Expr::Array(list) => list.elems.iter().for_each(|one| of_certificate(one, needs)),
        Expr::MethodCall(call) => {
            let before = needs.len();
            of_certificate(&call.receiver, needs);
            if call.method == "password" && needs.len() == before {
                let what = "the password of a key".to_owned();
                needs.push((Feature::EncryptedKeys, call.method.span(), what));
            }
        }
        Expr::Call(call) => {
            let is_pfx = matches!(&*call.func, Expr::Path(word) if word.path.is_ident("pfx"));
            if is_pfx {
                needs.push((Feature::Pfx, call.func.span(), "a PKCS#12 file".to_owned()));
            }
        }
        _ => {}
    }
}

fn of_route(route: &Route) -> Vec<Need> {
    let is_multipart = |argument: &&Argument| Source::of(&argument.text()) == Source::Multipart;
    let multipart = route.arguments.iter().find(is_multipart).map(|argument| {
        let what = "a form in parts".to_owned();
        (Feature::Multipart, argument.name.span(), what)
    });
    let view = match &route.action {
        Action::View { template, .. } => {
            Some((Feature::Views, template.span(), "a view".to_owned()))
        }
        Action::Redirect { .. } | Action::Handler(_) => None,
    };
    multipart.into_iter().chain(view).collect()
}

fn of_backplane(backplane: &Backplane) -> Vec<Need> {
    let url = text(&backplane.url).filter(|url| {
        let url = url.value().parse::<RedisUrl>();
        url.is_ok_and(|url| url.server().is_secure())
    });
    let url = url.map(|url| (Feature::Tls, url.span(), "TLS to a Redis".to_owned()));
    url.into_iter().chain(of_roots(&backplane.options)).collect()
}

fn of_upstream(upstream: &Upstream) -> Vec<Need> {
    let url = text(&upstream.url).filter(|url| url.value().starts_with("wss:"));
    let url = url.map(|url| (Feature::Tls, url.span(), "a `wss` upstream".to_owned()));
    url.into_iter().chain(of_roots(&upstream.options)).collect()
}

fn of_roots(options: &Options) -> impl Iterator<Item = Need> {
    let roots = options.fields.iter().filter(|field| field.name == ROOTS);
    roots.map(|field| (Feature::Tls, field.name.span(), "`roots`".to_owned()))
}
