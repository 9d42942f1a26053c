//! The expansion of a server: a constant for each signal, upstream and state, and
//! a function that declares everything to the run time.
//!
//! Expansions are thin: about one call for each declaration, whose logic is an
//! ordinary function in `::pode::__private`. After a mistake, the same code is
//! written for all declarations that were understood, so that the mistake
//! causes no further errors.
//!
//! `fallback` is what a block with mistakes
//! expands to, `folder` a folder on disk and embedded, `keyword` links the words to
//! their documentation.

mod backplane;
mod certificate;
mod endpoint;
mod fallback;
pub(crate) mod folder;
mod keyword;
mod mount;
mod on;
mod operations;
mod options;
mod route;
mod signal;
mod state;
mod timer;
mod upstream;

use pode_core::model::{Head, Server};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Attribute, ExprPath, Visibility};

use crate::diagnostic::Mistakes;
use crate::syntax::{Declaration, Kind, LINT_LEVELS, Written};

/// Writes a server as Rust.
pub(crate) fn expand(written: &Written, model: &Server, mistakes: Mistakes) -> TokenStream {
    let signals = signal::constants(written, model);
    let upstreams = upstream::constants(written);
    let states = state::constants(written);
    let server = &written.server;
    let (attributes, visibility, name, parameters) =
        (&server.attributes, &server.visibility, &server.name, &server.parameters);

    let expansion = Expansion { written, declared: Ident::new("__declared", Span::mixed_site()) };
    let declared = &expansion.declared;
    let title = name.unraw().to_string();
    let ty = format_ident!("ServerOptions");
    let words = expansion.words("server_words", &server.options);
    let options = options::fields(Some(words), &ty, &[], &server.options);
    // Without the head, statements may lack the parameters.
    let built = if server.is_read {
        let statements = expansion.statements(model);
        quote! {
            let mut #declared = ::pode::__private::Declared::new(#title, #options);
            #statements
            #declared.into_server()
        }
    } else {
        quote! { loop {} }
    };
    let nothing = Server::default();
    let model = if server.is_read { model } else { &nothing };
    let unused = fallback::unused(written, model, &mistakes);
    let keywords = keyword::uses(written);
    let page = documented(attributes, || format!("Builds the server `{title}`."));
    // Inside the function, an error hides no other error of the build.
    let errors = mistakes.errors();
    let warnings = mistakes.warnings(|index| judged(&written.declarations[index].attributes));

    quote! {
        #signals
        #upstreams
        #states

        #(#attributes)*
        #page
        #visibility fn #name(#parameters) -> ::pode::Server {
            #errors
            #warnings
            #keywords
            #unused
            #built
        }
    }
}

/// The inputs of every noun's expansion.
struct Expansion<'written> {
    written: &'written Written,
    /// The variable that collects the declarations; the user's code can't see
    /// it. A variable can't be called like a constant of the user, hence its name.
    declared: Ident,
}

impl Expansion<'_> {
    fn statements(&self, model: &Server) -> TokenStream {
        let mut statements = TokenStream::new();
        statements.extend(certificate::crate_folder(model, &self.declared));
        statements.extend(model.endpoints.iter().map(|endpoint| self.endpoint(endpoint)));
        statements.extend(model.backplanes.iter().map(|backplane| self.backplane(backplane)));
        statements.extend(model.operations.iter().map(|operations| self.operations(operations)));
        statements.extend(model.views.iter().map(|views| self.views(views)));
        statements.extend(model.publics.iter().map(|public| self.public(public)));
        statements.extend(model.mounts.iter().map(|mount| self.mount(mount)));
        statements.extend(model.states.iter().map(|state| self.state(state)));
        statements.extend(model.signals.iter().map(|signal| self.signal(signal)));
        statements.extend(model.ons.iter().map(|on| self.on(on, model)));
        statements.extend(model.routes.iter().map(|route| self.route(route)));
        statements.extend(model.timers.iter().map(|timer| self.timer(timer)));
        statements.extend(model.schedules.iter().map(|schedule| self.schedule(schedule)));
        statements.extend(model.upstreams.iter().map(|upstream| self.upstream(upstream)));
        statements
    }

    /// Returns the variable's name with a span at which rustc reports errors.
    fn declared_at(&self, place: Span) -> Ident {
        let mut declared = self.declared.clone();
        declared.set_span(declared.span().located_at(place));
        declared
    }

    /// Writes a handler. What is called, `index()`, may make one, or be one.
    fn handler(&self, handler: &TokenStream) -> TokenStream {
        let tokens: Vec<TokenTree> = handler.clone().into_iter().collect();
        let [.., TokenTree::Ident(last), TokenTree::Group(list)] = &tokens[..] else {
            return handler.clone();
        };
        let is_function = last.to_string().starts_with(char::is_lowercase)
            && !self.written.server.named_parameters().any(|(name, _)| name == last);
        let named: TokenStream = tokens[..tokens.len() - 1].iter().cloned().collect();
        if !list.stream().is_empty()
            || !is_function
            || syn::parse2::<ExprPath>(named.clone()).is_err()
        {
            return handler.clone();
        }
        quote_spanned! { handler.span()=> ::pode::__private::function::called(#named) }
    }

    /// Returns the source of this part of the model.
    fn kind(&self, head: &Head) -> &Kind {
        &self.written.declarations[head.index].kind
    }

    /// Returns the attributes of a declaration that go before its statement:
    /// `#[cfg]`s and lint levels.
    fn cfgs(&self, head: &Head) -> TokenStream {
        judged(&self.written.declarations[head.index].attributes)
    }
}

/// Tells whether no earlier signal, upstream or state has the name. A second one is
/// already reported; for a second constant, rustc would underline the whole
/// macro.
fn has_constant(written: &Written, index: usize) -> bool {
    let named = |declaration: &Declaration| {
        let name = match &declaration.kind {
            Kind::Signal(signal) => &signal.name,
            Kind::Upstream(upstream) => &upstream.name,
            Kind::State(state) => &state.name,
            _ => return None,
        };
        Some((name.unraw().to_string(), cfgs(&declaration.attributes).to_string()))
    };
    let declared = &written.declarations;
    !declared[..index].iter().any(|earlier| named(earlier) == named(&declared[index]))
}

/// Returns a word for the call that takes this handler: of a function, rustc knows
/// what it takes, of a closure only what it is given.
fn by_kind<'word>(handler: &TokenStream, closure: &'word str, function: &'word str) -> &'word str {
    if syn::parse2::<ExprPath>(handler.clone()).is_ok() { function } else { closure }
}

/// Returns the visibility of the constants, at the name of one: rustc would underline
/// all from the head to the name.
fn visible_at(written: &Written, name: Span) -> TokenStream {
    let tokens = written.server.visibility.to_token_stream().into_iter();
    let moved = tokens.map(|mut token| {
        token.set_span(token.span().located_at(name));
        token
    });
    moved.collect()
}

/// Allows that the constants, which are as visible as the server, are of types that
/// aren't. Nothing is written where that can't be, as no crate that forbids the lint
/// could have it.
fn of_any_types(written: &Written) -> Option<TokenStream> {
    let is_visible = !matches!(written.server.visibility, Visibility::Inherited);
    is_visible.then(|| quote! { #[allow(private_interfaces)] })
}

/// Returns the default documentation if the user writes none.
fn documented(attributes: &[Attribute], page: impl FnOnce() -> String) -> Option<TokenStream> {
    let documented = attributes.iter().any(|attribute| attribute.path().is_ident("doc"));
    (!documented).then(|| {
        let page = page();
        quote! { #[doc = #page] }
    })
}

fn cfgs(attributes: &[Attribute]) -> TokenStream {
    let cfgs = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg"));
    cfgs.map(ToTokens::to_token_stream).collect()
}

/// Returns the `#[cfg]`s and the lint levels.
fn judged(attributes: &[Attribute]) -> TokenStream {
    let judged = attributes.iter().filter(|attribute| {
        let is = |word| attribute.path().is_ident(word);
        is("cfg") || LINT_LEVELS.iter().any(|level| is(level))
    });
    judged.map(ToTokens::to_token_stream).collect()
}

/// Returns the name of an enum's variant, as its `Debug` gives it.
fn variant(value: impl std::fmt::Debug) -> Ident {
    format_ident!("{}", format!("{value:?}"))
}
