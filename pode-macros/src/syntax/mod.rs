//! The source as parsed: word order and punctuation, no validation of values.
//!
//! The input is split at the semicolons of its top level, and each piece is
//! parsed by itself: a mistake affects only its own declaration, and all others
//! are still parsed. Of a declaration that can't be read, `unread` keeps what other
//! code may name. Handlers are taken as raw tokens, even half-typed ones,
//! since rustc and editors explain Rust better than this crate can.
//!
//! Beside the nouns: `options` and `arguments` are common to them, `handler` is what
//! stands behind `=>`, `forgotten` finds a missing semicolon.

mod arguments;
mod backplane;
mod endpoint;
mod forgotten;
mod handler;
mod mount;
mod on;
mod operations;
mod options;
mod public;
mod route;
mod schedule;
mod server;
mod signal;
mod state;
mod timer;
mod unread;
mod upstream;
mod views;

use pode_core::Method;
use pode_core::check::{Code, help_with_choices};
use proc_macro2::{Delimiter, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::buffer::TokenBuffer;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::spanned::Spanned;
use syn::{Attribute, Token};

pub(crate) use arguments::Argument;
pub(crate) use backplane::Backplane;
pub(crate) use endpoint::Endpoint;
pub(crate) use handler::Action;
pub(crate) use mount::Mount;
pub(crate) use on::On;
pub(crate) use operations::Operations;
pub(crate) use options::{Field, Options};
pub(crate) use public::Public;
pub(crate) use route::Route;
pub(crate) use schedule::Schedule;
pub(crate) use server::Server;
pub(crate) use signal::{Receiver, Signal};
pub(crate) use state::State;
pub(crate) use timer::Timer;
pub(crate) use upstream::{ON_CONNECT, Upstream};
pub(crate) use views::Views;

use crate::diagnostic::Mistakes;
use crate::shown::shown;

/// A whole invocation.
pub(crate) struct Written {
    /// The head.
    pub(crate) server: Server,
    /// The declarations that could be parsed, in their order.
    pub(crate) declarations: Vec<Declaration>,
    /// Whether one could not be parsed.
    pub(crate) incomplete: bool,
}

/// One declaration.
pub(crate) struct Declaration {
    /// Doc comments and `#[cfg]`s.
    pub(crate) attributes: Vec<Attribute>,
    /// The first word.
    pub(crate) noun: Ident,
    /// The rest.
    pub(crate) kind: Kind,
    /// Whether all of it could be read. Otherwise it only has names that other
    /// code may use.
    pub(crate) is_read: bool,
}

/// The parts of a declaration after its noun.
pub(crate) enum Kind {
    Endpoint(Endpoint),
    Backplane(Backplane),
    Operations(Operations),
    Views(Views),
    Public(Public),
    Mount(Mount),
    Route(Route),
    Signal(Box<Signal>),
    On(On),
    State(State),
    Timer(Timer),
    Schedule(Schedule),
    /// Boxed, since it is twice as large as any other.
    Upstream(Box<Upstream>),
}

/// Every noun, in the order a message lists them.
pub(crate) const NOUNS: [&str; 13] = [
    "endpoint",
    "backplane",
    "operations",
    "views",
    "public",
    "mount",
    "route",
    "signal",
    "on",
    "state",
    "timer",
    "schedule",
    "upstream",
];

/// Those that become a constant, which bears their attributes.
const HAVE_CONSTANTS: [&str; 3] = ["signal", "upstream", "state"];

/// The attributes for the lint levels of a declaration.
pub(crate) const LINT_LEVELS: [&str; 5] = ["allow", "deny", "expect", "forbid", "warn"];

/// Parses an invocation; `None` if it is empty.
pub(crate) fn parse(input: TokenStream, mistakes: &mut Mistakes) -> Option<Written> {
    let (pieces, unended) = pieces(out_of_braces(input, mistakes));
    let mut pieces = pieces.into_iter();
    let Some(head) = pieces.next() else {
        mistakes.add(
            Code::ServerHead,
            Span::call_site(),
            "nothing is declared",
            "begin with `pub server name;`",
        );
        return None;
    };
    let mut rest = TokenStream::new();
    let before = mistakes.count();
    let parser = |input: ParseStream<'_>| {
        let server = Server::parse(input)?;
        forgotten::end(input, false, mistakes)?;
        rest = input.parse()?;
        Ok(server)
    };
    let server = parser.parse2(head.clone()).unwrap_or_else(|error| {
        mistakes.add_syntax(&error);
        let server;
        (server, rest) = unread::server(head);
        server
    });

    let incomplete = !server.is_read;
    let mut written = Written { server, declarations: Vec::new(), incomplete };
    let mut before_last = before;
    for piece in std::iter::once(rest).chain(pieces) {
        before_last = if piece.is_empty() { before_last } else { mistakes.count() };
        written.read(piece, mistakes);
    }
    // A declaration that is being typed is one mistake.
    let is_finished = written.declarations.last().is_none_or(|last| match &last.kind {
        Kind::Upstream(upstream) => upstream.handler.is_ok(),
        _ => true,
    });
    if let Some(span) = unended.filter(|_| mistakes.count() == before_last && is_finished) {
        let message = "the last declaration needs a `;` too";
        mistakes.add(Code::MissingSemicolon, span, message, "end it with `;`");
    }
    Some(written)
}

impl Written {
    /// Parses the declarations of one piece: one, unless a `;` was forgotten.
    fn read(&mut self, mut piece: TokenStream, mistakes: &mut Mistakes) {
        while !piece.is_empty() {
            let mut rest = TokenStream::new();
            let parser = |input: ParseStream<'_>| {
                let declaration = Declaration::parse(input, mistakes)?;
                rest = input.parse()?;
                Ok(declaration)
            };
            match parser.parse2(piece.clone()) {
                Ok(declaration) => self.declarations.push(declaration),
                Err(error) => {
                    mistakes.add_syntax(&error);
                    self.incomplete = true;
                    let names;
                    (names, rest) = unread::declaration(piece);
                    self.declarations.extend(names);
                }
            }
            piece = rest;
        }
    }
}

/// Takes the declarations out of braces behind the head, where they would be those
/// of a module.
fn out_of_braces(input: TokenStream, mistakes: &mut Mistakes) -> Vec<TokenTree> {
    let mut tokens: Vec<TokenTree> = input.into_iter().collect();
    let is_braces = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace);
    let place = tokens.iter().position(|token| is_semicolon(token) || is_braces(token));
    let Some((place, TokenTree::Group(braces))) = place.map(|place| (place, &tokens[place])) else {
        return tokens;
    };
    let declarations = braces.stream();
    let Some(noun) = forgotten::next_noun(TokenBuffer::new2(declarations.clone()).begin()) else {
        return tokens;
    };
    let head: TokenStream = tokens[..place].iter().cloned().collect();
    let message = "declarations stand behind the head, not in its braces";
    let help = format!("write `{};`, and then the declarations without braces", shown(&head));
    mistakes.add(Code::ServerHead, noun.span(), message, help);
    let is_ended = tokens.get(place + 1).is_some_and(is_semicolon);
    let behind = place + 1 + usize::from(is_ended);
    tokens.splice(place..behind, [semicolon(noun.span())].into_iter().chain(declarations));
    tokens
}

fn is_semicolon(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ';')
}

fn semicolon(span: Span) -> TokenTree {
    let mut semicolon = Punct::new(';', Spacing::Alone);
    semicolon.set_span(span);
    semicolon.into()
}

/// Splits the input after each `;` of its top level. Where the last one is
/// missing, it is added, and the place returned.
fn pieces(input: Vec<TokenTree>) -> (Vec<TokenStream>, Option<Span>) {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    for token in input {
        let ends = is_semicolon(&token);
        piece.push(token);
        if ends {
            pieces.push(piece.drain(..).collect());
        }
    }
    let unended = piece.last().map(TokenTree::span);
    if let Some(span) = unended {
        piece.push(semicolon(span));
        pieces.push(piece.into_iter().collect());
    }
    (pieces, unended)
}

impl Declaration {
    fn parse(input: ParseStream<'_>, mistakes: &mut Mistakes) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        let Ok(noun) = input.call(Ident::parse_any) else {
            let help = help_with_choices("", &NOUNS, "declarations begin with");
            return Err(unreadable(input.span(), "expected a declaration", help));
        };
        if NOUNS.iter().any(|known| noun == known) {
            unknown_attributes(&attributes, &noun, mistakes);
        }
        let kind = match noun.to_string().as_str() {
            "endpoint" => Kind::Endpoint(Endpoint::parse(input)?),
            "backplane" => Kind::Backplane(Backplane::parse(input)?),
            "operations" => Kind::Operations(Operations::parse(input)?),
            "views" => Kind::Views(Views::parse(input)?),
            "public" => Kind::Public(Public::parse(input)?),
            "mount" => Kind::Mount(Mount::parse(input)?),
            "route" => Kind::Route(Route::parse(input)?),
            "signal" => Kind::Signal(Box::new(Signal::parse(input)?)),
            "on" => Kind::On(On::parse(input)?),
            "state" => Kind::State(State::parse(input)?),
            "timer" => Kind::Timer(Timer::parse(input)?),
            "schedule" => Kind::Schedule(Schedule::parse(input)?),
            "upstream" => Kind::Upstream(Upstream::parse(input)?.into()),
            word => {
                return Err(unknown(input, &attributes, &noun, word));
            }
        };
        let has_handler = !matches!(
            kind,
            Kind::Endpoint(_)
                | Kind::Backplane(_)
                | Kind::Operations(_)
                | Kind::Views(_)
                | Kind::Public(_)
                | Kind::Mount(_)
                | Kind::State(_)
        );
        let is_read = forgotten::end(input, has_handler, mistakes)?;
        Ok(Declaration { attributes, noun, kind, is_read })
    }
}

/// Words with which items of Rust begin.
const ITEMS: [&str; 12] = [
    "async", "const", "enum", "fn", "impl", "let", "mod", "pub", "static", "struct", "type", "use",
];

/// Makes the error of a word that is no noun; `input` is what follows.
fn unknown(
    input: ParseStream<'_>,
    attributes: &[Attribute],
    noun: &Ident,
    word: &str,
) -> syn::Error {
    let method = |word: &str| Method::parse(&word.to_uppercase());
    let message = format!("unknown declaration `{word}`");
    let help = if let Some(method) = method(word).filter(|_| input.peek(syn::LitStr)) {
        format!("write `route {method} …`")
    } else if ITEMS.contains(&word) {
        // As in Rocket, the route may stand at its handler.
        let routes = attributes.iter().filter_map(|it| it.path().get_ident());
        let method = routes.filter_map(|it| method(&it.to_string())).next();
        let route = method.map(|method| {
            format!("; its route is a declaration, `route {method} \"/path\" => handler;`")
        });
        format!("items of Rust stand outside of the block{}", route.unwrap_or_default())
    } else if input.peek(Token![:]) {
        let noun = if unread::begins_state(input) { "state" } else { "signal" };
        format!("write `{noun} {word}: …`")
    } else {
        help_with_choices(word, &NOUNS, "declarations are")
    };
    mistake(Code::UnknownDeclaration, noun.span(), message, help)
}

/// Reports attributes that would have no effect. Those of a signal, an
/// upstream or a state go to its constant, where rustc checks them.
fn unknown_attributes(attributes: &[Attribute], noun: &Ident, mistakes: &mut Mistakes) {
    for attribute in attributes.iter().filter(|_| !HAVE_CONSTANTS.iter().any(|it| noun == it)) {
        let is = |word| attribute.path().is_ident(word);
        if !is("doc") && !is("cfg") && !LINT_LEVELS.iter().any(|level| is(level)) {
            let word = attribute.path().to_token_stream().to_string().replace(' ', "");
            let message = format!("`#[{word}]` says nothing about a declaration");
            let help = "declarations bear doc comments, `#[cfg(…)]` and levels of lints like `#[allow(…)]`";
            mistakes.add(Code::UnknownAttribute, attribute.path().span(), message, help);
        }
    }
}

/// Parses a text in quotes; `what` describes it, and `example` shows one.
fn text(input: ParseStream<'_>, what: &str, example: &str) -> syn::Result<syn::LitStr> {
    if input.peek(syn::LitStr) {
        return input.parse();
    }
    let help = format!("write it like `\"{example}\"`");
    Err(unreadable(input.span(), format!("expected {what} in quotes"), help))
}

/// Parses a word of the language; `missing` is the message and the correction
/// if there is none.
fn word(
    input: ParseStream<'_>,
    word: &str,
    missing: impl FnOnce() -> (String, String),
) -> syn::Result<Ident> {
    if input.fork().call(Ident::parse_any).is_ok_and(|found| found == word) {
        return input.call(Ident::parse_any);
    }
    let (message, help) = missing();
    Err(unreadable(input.span(), message, help))
}

/// Makes an error of a mistake and what to type instead.
fn mistake(code: Code, span: Span, message: impl AsRef<str>, help: impl AsRef<str>) -> syn::Error {
    syn::Error::new(span, pode_core::check::text(code, message.as_ref(), help.as_ref()))
}

/// Makes an error of a part that is missing or in the wrong place.
fn unreadable(span: Span, message: impl AsRef<str>, help: impl AsRef<str>) -> syn::Error {
    mistake(Code::Unreadable, span, message, help)
}

/// Whether the declaration ends here.
fn at_end(input: ParseStream<'_>) -> bool {
    input.is_empty() || input.peek(Token![;])
}
