//! Closures as handlers: which variables of the surrounding function they may
//! use.

use pode_core::check::Code;
use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Pat, Token, Type};

use super::Resolver;
use crate::syntax::Server;

/// A parameter of the server, which a closure could borrow.
pub(super) struct Parameter {
    name: String,
    ty: String,
}

impl Parameter {
    pub(super) fn all_of(server: &Server) -> Vec<Parameter> {
        let parameter = |(name, ty): (&Ident, &Type)| Parameter {
            name: name.to_string(),
            ty: ty.to_token_stream().to_string().replace(' ', ""),
        };
        server.named_parameters().map(parameter).collect()
    }
}

impl Resolver<'_> {
    /// Checks a handler that is a closure; `given` are the names for what it is
    /// given.
    pub(super) fn closure(&mut self, handler: &TokenStream, given: &[&str]) -> Option<()> {
        let Some(closure) = closure(handler) else { return Some(()) };
        let taken = closure.taken;
        if taken != given.len() {
            let arguments = if taken == 1 { "argument" } else { "arguments" };
            let message =
                format!("this closure takes {taken} {arguments}, but is given {}", given.len());
            let help = format!("write `async |{}|`", given.join(", "));
            return self.mistake(Code::ClosureArguments, closure.begin, message, help);
        }
        self.captured(&closure)
    }

    /// Reports a closure that borrows a parameter.
    pub(super) fn captures(&mut self, handler: &TokenStream) -> Option<()> {
        closure(handler).map_or(Some(()), |closure| self.captured(&closure))
    }

    /// rustc would only say of an `async` closure that it doesn't implement
    /// `Fn`, without a correction.
    fn captured(&mut self, closure: &Closure) -> Option<()> {
        // A `move` closure may copy what it captures, or clone it for each call;
        // an `async` one can only copy it. rustc checks that.
        let may_capture = |ty: &str| closure.moves && (!closure.is_async || !is_owner(ty));
        let Closure { inputs, body, .. } = closure;
        for Parameter { name, ty } in &self.parameters {
            // The closure's own variables may hide it, and a reference may live
            // as long; then rustc checks.
            if ty.starts_with('&')
                || may_capture(ty)
                || use_of(name, inputs).is_some()
                || is_bound(name, body)
            {
                continue;
            }
            if let Some(word) = use_of(name, body) {
                let message = format!(
                    "a handler can't borrow `{name}`: it runs after this function has returned"
                );
                let constant = name.to_uppercase();
                let help = format!(
                    "share it by `state {constant}: {ty} = {name};`, and find it by `event.state({constant})`"
                );
                self.mistakes.add(Code::CapturingClosure, word.span(), message, help);
                return None;
            }
        }
        Some(())
    }
}

/// Tells whether a type of Rust's owns memory, so that it can't be copied.
fn is_owner(ty: &str) -> bool {
    let name = ty.split('<').next().and_then(|path| path.rsplit(':').next());
    let owners = ["Arc", "Box", "BTreeMap", "HashMap", "PathBuf", "String", "Vec"];
    name.is_some_and(|name| owners.contains(&name))
}

fn closure(handler: &TokenStream) -> Option<Closure> {
    // Most handlers are paths.
    let begins = match handler.clone().into_iter().next()? {
        TokenTree::Ident(word) => ["async", "move", "static"].iter().any(|begin| word == begin),
        TokenTree::Punct(mark) => matches!(mark.as_char(), '|' | '#'),
        TokenTree::Group(_) | TokenTree::Literal(_) => false,
    };
    begins.then(|| syn::parse2(handler.clone()).ok()).flatten()
}

/// A closure, whose body is left as it is: it was parsed before.
struct Closure {
    is_async: bool,
    moves: bool,
    /// Where its arguments begin.
    begin: Span,
    /// How many it takes.
    taken: usize,
    inputs: TokenStream,
    body: TokenStream,
}

impl Parse for Closure {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        input.call(Attribute::parse_outer)?;
        input.parse::<Option<Token![static]>>()?;
        let is_async = input.parse::<Option<Token![async]>>()?.is_some();
        let moves = input.parse::<Option<Token![move]>>()?.is_some();
        let begin = input.parse::<Token![|]>()?.span;
        let (mut taken, mut inputs) = (0, TokenStream::new());
        while !input.peek(Token![|]) {
            Pat::parse_single(input)?.to_tokens(&mut inputs);
            if input.parse::<Option<Token![:]>>()?.is_some() {
                input.parse::<Type>()?.to_tokens(&mut inputs);
            }
            taken += 1;
            if !input.peek(Token![|]) {
                input.parse::<Token![,]>()?;
            }
        }
        input.parse::<Token![|]>()?;
        Ok(Closure { is_async, moves, begin, taken, inputs, body: input.parse()? })
    }
}

/// Finds a variable of that name; fields, paths and labels don't count.
fn use_of(name: &str, code: &TokenStream) -> Option<Ident> {
    let tokens: Vec<TokenTree> = code.clone().into_iter().collect();
    let mark = |index: Option<usize>| match index.and_then(|index| tokens.get(index)) {
        Some(TokenTree::Punct(mark)) => Some(mark.as_char()),
        _ => None,
    };
    for (index, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(word) if word == name => {
                let (before, behind) = (mark(index.checked_sub(1)), mark(Some(index + 1)));
                let range = before == Some('.') && mark(index.checked_sub(2)) == Some('.');
                if (range || !matches!(before, Some('.' | ':' | '\''))) && behind != Some(':') {
                    return Some(word.clone());
                }
            }
            TokenTree::Group(group) => {
                if let Some(word) = use_of(name, &group.stream()) {
                    return Some(word);
                }
            }
            _ => {}
        }
    }
    None
}

/// Tells whether some pattern may bind the name; if in doubt, yes.
fn is_bound(name: &str, code: &TokenStream) -> bool {
    let mut in_pattern = false;
    let tokens: Vec<TokenTree> = code.clone().into_iter().collect();
    tokens.iter().enumerate().any(|(index, token)| match token {
        TokenTree::Ident(word) => {
            in_pattern |=
                ["let", "for", "fn", "const", "static"].iter().any(|binder| word == binder);
            (in_pattern && word == name)
                || (word == "match"
                    && tokens[index..].iter().any(|token| match token {
                        TokenTree::Group(arms) if arms.delimiter() == Delimiter::Brace => {
                            use_of(name, &arms.stream()).is_some()
                        }
                        _ => false,
                    }))
        }
        TokenTree::Punct(mark) => {
            match mark.as_char() {
                '|' => in_pattern = !in_pattern,
                '=' | ';' => in_pattern = false,
                _ => {}
            }
            false
        }
        TokenTree::Group(group) => {
            let inner = group.stream();
            (in_pattern && use_of(name, &inner).is_some()) || is_bound(name, &inner)
        }
        TokenTree::Literal(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_told_from_other_words() {
        #[track_caller]
        fn check(code: &str, expected: bool) {
            let code: TokenStream = code.parse().unwrap();
            let used = use_of("port", &code).is_some() && !is_bound("port", &code);
            assert_eq!(used, expected, "{code}");
        }
        check("text(port)", true);
        check("f(&port, port.x)", true);
        check("0..port", true);
        check("x.port + port::y + Z { port: 1 }", false);
        check("'port: loop {}", false);
        check("let port = 1; f(port)", false);
        check("if let Some(port) = x { f(port) }", false);
        check("for port in ports { f(port) }", false);
        check("ports.map(|port| f(port))", false);
        check("match x { port => f(port) }", false);
        check("let x = 1; f(port)", true);
    }
}
