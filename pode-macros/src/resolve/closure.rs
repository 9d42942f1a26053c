//! Closures as handlers: which variables of the surrounding function they may
//! use.

use pode_core::check::Code;
use proc_macro2::{Delimiter, Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Expr, Type};

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
    /// Reports an `async` closure that borrows a parameter: rustc would only
    /// say that it doesn't implement `Fn`, without a correction.
    pub(super) fn closure(&mut self, handler: &TokenStream) -> Option<()> {
        let Ok(Expr::Closure(closure)) = syn::parse2(handler.clone()) else {
            return Some(());
        };
        // A `move` closure may copy what it captures; rustc checks that.
        if closure.asyncness.is_none() || closure.capture.is_some() {
            return Some(());
        }
        let inputs = closure.inputs.to_token_stream();
        let body = closure.body.to_token_stream();
        for Parameter { name, ty } in &self.parameters {
            // The closure's own variables may hide it; then rustc checks.
            if use_of(name, &inputs).is_some() || is_bound(name, &body) {
                continue;
            }
            if let Some(word) = use_of(name, &body) {
                let message =
                    format!("an `async` closure can't borrow `{name}`: requests outlive it");
                let state = name.to_uppercase();
                let help = format!(
                    "share it by `state {state}: {ty} = {name};`, and take it by `event.state({state})`"
                );
                self.mistakes.add(Code::CapturingClosure, word.span(), message, help);
                return None;
            }
        }
        Some(())
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
