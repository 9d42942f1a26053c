//! The options of the server itself, as far as the compiler can check them.

use pode_core::check::{Code, Diagnostic};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit};

use super::Resolver;
use super::options::{called, text};
use crate::syntax::Options;

/// The option that says where another process finds the server.
pub(super) const HAND_OVER: &str = "hand_over";

/// The option for the time over which clients are told to reconnect there.
const DRAIN: &str = "drain";

/// The longest path, in bytes, at which every system can make a socket; while
/// the socket is made, the path is longer by up to eight.
const MAX_SOCKET_PATH_BYTES: usize = 90;

/// The option that says how clients get their ids.
const CLIENT_IDS: &str = "client_ids";

impl Resolver<'_> {
    /// Advises against a literal secret.
    pub(super) fn client_ids(&mut self, options: &Options) {
        for field in options.fields.iter().filter(|field| field.name == CLIENT_IDS) {
            if let Some(secret) = literal_secret(&field.value) {
                let place = self.places.add(secret);
                let message = "this secret is in every copy of the program";
                let help = "write `secret_from_env(\"NAME\")`";
                let advice = Diagnostic::new(Code::SecretInTheCode, place, message, help);
                self.mistakes.add_found(advice, &self.places);
            }
        }
    }

    /// Checks the options of the hand-over.
    pub(super) fn hand_over(&mut self, options: &Options) {
        let field = |name: &str| options.fields.iter().rfind(|field| field.name == name);
        let Some(hand_over) = field(HAND_OVER) else {
            if let Some(drain) = field(DRAIN) {
                let message = format!("`{DRAIN}` says nothing without `{HAND_OVER}`");
                let help = format!("add `{HAND_OVER}: \"run/server.sock\"`, or remove the option");
                self.mistakes.add(Code::DrainAlone, drain.name.span(), message, help);
            }
            return;
        };
        let Some(path) = text(&hand_over.value) else { return };
        let (path, span) = (path.value(), hand_over.value.span());
        let what_is_wrong = match path.len() {
            0 => "a socket has a path".to_owned(),
            bytes if bytes > MAX_SOCKET_PATH_BYTES => {
                format!("the path of a socket has at most {MAX_SOCKET_PATH_BYTES} bytes")
            }
            _ if path.ends_with('/') => format!("`{path}` is a folder, and no socket"),
            _ => return,
        };
        let help = "write a path such as `\"run/server.sock\"`, relative to the working directory";
        self.mistakes.add(Code::SocketPath, span, what_is_wrong, help);
    }
}

/// Returns where the secret of `signed_by("…")` stands, whatever is called on it.
fn literal_secret(value: &Expr) -> Option<Span> {
    match value {
        Expr::MethodCall(call) => literal_secret(&call.receiver),
        value => match called("signed_by", value)? {
            Expr::Lit(ExprLit { lit: lit @ (Lit::Str(_) | Lit::ByteStr(_)), .. }) => {
                Some(lit.span())
            }
            _ => None,
        },
    }
}
