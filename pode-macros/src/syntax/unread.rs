//! What other code may name of a declaration that can't be read: the constant of
//! a signal, an upstream or a state, and the function of a server.
//!
//! The mistake itself is already told; without these names, each use of them
//! would be another.

use pode_core::check::did_you_mean;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::buffer::TokenBuffer;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, LitStr, Token, Type, Visibility, parse_quote};

use super::forgotten::next_noun;
use super::{
    Argument, Declaration, HAVE_CONSTANTS, Kind, NOUNS, Options, Server, Signal, State, Upstream,
    mistake,
};

/// Returns the names of a declaration, if it has any, and the declarations
/// behind it, where its `;` was forgotten.
pub(super) fn declaration(piece: TokenStream) -> (Option<Declaration>, TokenStream) {
    let (tokens, rest) = split(piece);
    (constant.parse2(tokens).ok(), rest)
}

/// Splits before the next declaration; the noun of the first begins none.
fn split(piece: TokenStream) -> (TokenStream, TokenStream) {
    let buffer = TokenBuffer::new2(piece);
    let (mut cursor, mut first) = (buffer.begin(), Vec::new());
    let mut is_behind_noun = false;
    while let Some((token, behind)) = cursor.token_tree()
        && !(is_behind_noun && next_noun(cursor).is_some())
    {
        is_behind_noun |= matches!(token, TokenTree::Ident(_));
        first.push(token);
        cursor = behind;
    }
    (first.into_iter().collect(), cursor.token_stream())
}

/// Reads `noun NAME: Type -> Type`, whatever the noun is and whatever follows.
fn constant(input: ParseStream<'_>) -> syn::Result<Declaration> {
    let mut attributes = TokenStream::new();
    while !input.peek(Ident::peek_any) {
        attributes.extend([input.parse::<TokenTree>()?]);
    }
    let attributes = Attribute::parse_outer.parse2(attributes).unwrap_or_default();
    let first = input.call(Ident::parse_any)?;
    // The noun itself may be missing, or the colon.
    let name = if input.peek(Token![:]) { name(&first)? } else { input.parse()? };
    let is_noun = |word: &Ident| NOUNS.iter().any(|noun| word == noun);
    let has_constant = HAVE_CONSTANTS.iter().any(|noun| first == noun);
    if is_noun(&name) || is_noun(&first) && !has_constant {
        return Err(input.error("it has no constant"));
    }
    let has_colon = input.parse::<Option<Token![:]>>()?.is_some();
    if !has_colon && !has_constant {
        return Err(input.error("it has no types"));
    }
    let meant = did_you_mean(&first.to_string(), HAVE_CONSTANTS);
    let noun = |word| Ident::new(word, first.span());
    if meant == Some("state") || meant.is_none() && begins_state(input) {
        if !has_colon && name.to_string().contains(char::is_lowercase) {
            return Err(input.error("it is the name of a type"));
        }
        let kind = Kind::State(State { name, ty: ty(input), value: parse_quote! { loop {} } });
        input.parse::<TokenStream>()?;
        return Ok(Declaration { attributes, noun: noun("state"), kind, is_read: false });
    }
    let (mut receives, mut sends) = (None, ty(input));
    if input.peek(Token![->]) {
        input.parse::<Token![->]>()?;
        receives = Some(sends);
        sends = ty(input);
    }
    let rest: Vec<TokenTree> = input.parse::<TokenStream>()?.into_iter().collect();
    let mut texts = rest.iter().filter_map(|token| syn::parse2(token.clone().into()).ok());
    let path: LitStr = texts.next().unwrap_or_else(|| LitStr::new("/", name.span()));
    let is_upstream = meant == Some("upstream")
        || path.value().starts_with("ws:")
        || path.value().starts_with("wss:");
    if is_upstream {
        let (receives, sends) = match receives {
            Some(receives) => (receives, Some(sends)),
            None => (sends, None),
        };
        let handler = Err(mistake_already_told(&name));
        let (options, on_connect) = (Options::default(), Vec::new());
        let url = parse_quote! { #path };
        let upstream = Upstream { name, receives, sends, url, options, on_connect, handler };
        let kind = Kind::Upstream(Box::new(upstream));
        return Ok(Declaration { attributes, noun: noun("upstream"), kind, is_read: false });
    }
    let arguments = arguments(&rest, &path);
    let (options, end) = (Options::default(), path.span());
    let signal = Signal { name, receives, sends, path, arguments, options, receiver: None, end };
    let kind = Kind::Signal(Box::new(signal));
    Ok(Declaration { attributes, noun: noun("signal"), kind, is_read: false })
}

/// Tells whether a type and a value follow, and the value is no text, as the paths of
/// signals and most URLs of upstreams are.
pub(super) fn begins_state(input: ParseStream<'_>) -> bool {
    let ahead = input.fork();
    let _ = ahead.parse::<Option<Token![:]>>();
    let _ = ty(&ahead);
    ahead.peek(Token![=]) && !ahead.peek(Token![=>]) && !ahead.peek2(LitStr)
}

/// Returns the word if it may be a name.
fn name(word: &Ident) -> syn::Result<Ident> {
    syn::parse2(word.to_token_stream())
}

fn mistake_already_told(name: &Ident) -> syn::Error {
    mistake(pode_core::check::Code::Unreadable, name.span(), "", "")
}

/// Reads a type; one that can't be read becomes `()`.
fn ty(input: ParseStream<'_>) -> Type {
    let ahead = input.fork();
    let read = ahead.parse::<Type>().is_ok().then(|| input.parse());
    match read {
        // No constant has an `impl` type.
        Some(Ok(ty)) if !matches!(ty, Type::ImplTrait(_)) => ty,
        _ => parse_quote! { () },
    }
}

/// Returns the parameters of a family, from the parentheses or else the path.
fn arguments(rest: &[TokenTree], path: &LitStr) -> Vec<Argument> {
    let is_list = |group: &&Group| group.delimiter() == Delimiter::Parenthesis;
    let mut groups = rest.iter().filter_map(|token| match token {
        TokenTree::Group(group) => Some(group),
        _ => None,
    });
    let list = groups.find(is_list);
    let list =
        list.and_then(|list| Argument::parse_all.parse2(TokenTree::from(list.clone()).into()).ok());
    list.unwrap_or_else(|| {
        let path = path.value();
        let names = path.split('/').filter(|segment| segment.starts_with(':'));
        let argument = |_| Argument {
            name: Ident::new("unread", Span::call_site()),
            ty: parse_quote! { ::std::string::String },
        };
        names.map(argument).collect()
    })
}

/// Returns what can be read of a head, and the declarations behind it.
pub(super) fn server(head: TokenStream) -> (Server, TokenStream) {
    let mut parts = (Vec::new(), Visibility::Inherited);
    let mut rest = TokenStream::new();
    let parser = |input: ParseStream<'_>| {
        parts = (input.call(Attribute::parse_outer)?, input.parse()?);
        rest = input.parse()?;
        Ok(())
    };
    let _ = parser.parse2(head.clone());
    let (attributes, visibility) = parts;
    let mut server = Server {
        attributes,
        visibility,
        noun: Ident::new("server", Span::call_site()),
        name: Ident::new("_server", Span::call_site()),
        parameters: Punctuated::new(),
        options: Options::default(),
        is_read: false,
    };
    if next_noun(TokenBuffer::new2(rest.clone()).begin()).is_some() {
        // The head is missing; attributes are the declaration's.
        server.attributes.clear();
        return (server, head);
    }
    let (head, behind) = split(rest);
    let head: Vec<TokenTree> = head.into_iter().collect();
    let word = |index: usize| match head.get(index) {
        Some(TokenTree::Ident(word)) => Some(word),
        _ => None,
    };
    // The name stands behind the noun, or is the only word.
    let is_noun = |index: &usize| word(*index).is_some_and(|word| word == "server");
    let noun = (0..head.len()).find(is_noun);
    let place = noun.map_or_else(
        || (0..head.len()).rfind(|index| word(*index).is_some()),
        |noun| Some(noun + 1),
    );
    if let Some(Ok(name)) = place.and_then(word).map(name) {
        server.name = name;
    }
    if let Some(TokenTree::Group(list)) = place.and_then(|place| head.get(place + 1))
        && let Ok(list) = Punctuated::parse_terminated.parse2(list.stream())
    {
        server.parameters = list;
    }
    (server, behind)
}
