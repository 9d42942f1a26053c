//! Endpoints: parses protocols and addresses.

use pode_core::check::{Code, help_with_choices};
use pode_core::model::{Endpoint, Head};
use pode_core::{Bind, Protocol};
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit};

use super::Resolver;
use super::certificate::{CERTIFICATE, CLIENT_CERTIFICATE};
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn endpoint(&mut self, head: Head, written: &syntax::Endpoint) -> Option<Endpoint> {
        // Both are parsed, so that two mistakes in one line are reported at
        // once.
        let protocol = self.protocol(&written.protocol);
        let bind = self.bind(&written.address);
        let options = self.options(&written.options);
        let known = [CERTIFICATE, CLIENT_CERTIFICATE];
        let options = self.misspelled(&written.options, "an endpoint", &known).and(options);
        let options = self.limits_inside(&written.options).and(options);
        let options = self.hosts(&written.options).and(options);
        let options = self.trusted_proxies(&written.options).and(options);
        let certificate = self.certificate(&written.options, CERTIFICATE);
        let client_certificate = self.certificate(&written.options, CLIENT_CERTIFICATE);
        let limits = self.limits(&written.options);
        Some(Endpoint {
            head,
            name: written.name.as_ref().map(|name| self.word(name)),
            protocol: protocol?,
            protocol_place: self.places.add(written.protocol.span()),
            bind: bind?,
            address_place: self.places.add(written.address.span()),
            certificate: options.and(certificate)?,
            client_certificate: client_certificate?,
            limits: limits?,
        })
    }

    fn protocol(&mut self, word: &syn::Ident) -> Option<Protocol> {
        let written = word.to_string();
        Protocol::parse(&written).or_else(|| {
            let choices = Protocol::ALL.map(Protocol::as_str);
            let help = help_with_choices(&written, &choices, "an endpoint speaks");
            let message = format!("unknown protocol `{written}`");
            self.mistake(Code::UnknownProtocol, word.span(), message, help)
        })
    }

    /// Parses literals; the inner `None` is an expression whose address is
    /// known only at run time.
    fn bind(&mut self, address: &Expr) -> Option<Option<Bind>> {
        let Expr::Lit(ExprLit { lit, .. }) = address else {
            return Some(None);
        };
        let written = match lit {
            Lit::Str(text) => text.value(),
            // A port alone listens on localhost.
            Lit::Int(port) => format!("localhost:{}", port.base10_digits()),
            _ => {
                return self.mistake(
                    Code::Address,
                    lit.span(),
                    "this is not an address",
                    "write `\"127.0.0.1:8090\"`",
                );
            }
        };
        match written.parse() {
            Ok(bind) => Some(Some(bind)),
            Err(error) => self.mistake(Code::Address, lit.span(), error.to_string(), error.help()),
        }
    }
}
