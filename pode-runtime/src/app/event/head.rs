//! The head of a request, which events show to handlers.

use std::borrow::Cow;
use std::net::SocketAddr;

use cookie::Cookie;
use http::header::COOKIE;
use http::{HeaderMap, Method, Request, Uri};
use percent_encoding::percent_decode_str;

use crate::http::forwarded::Forwarded;
use crate::http::header::texts;
use crate::net::tls::certificate::ClientCertificate;

/// A request without its body.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    /// The address of the client, as far as it is known.
    pub(crate) peer: Option<SocketAddr>,
    /// What a trusted proxy says.
    pub(crate) forwarded: Option<Forwarded>,
    pub(crate) certificate: Option<ClientCertificate>,
}

impl RequestHead {
    /// Takes the head from a request, whose headers only the handler needs from
    /// here on.
    pub(crate) fn take<B>(request: &mut Request<B>, peer: Option<SocketAddr>) -> RequestHead {
        RequestHead {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: std::mem::take(request.headers_mut()),
            peer,
            forwarded: request.extensions().get().cloned(),
            certificate: request.extensions().get().cloned(),
        }
    }

    /// Returns the decoded value of a cookie.
    pub(super) fn cookie(&self, name: &str) -> Option<String> {
        // Names aren't decoded: `%5F_Host-id`, which a page of a neighbouring
        // domain may set, would otherwise pass for `__Host-id`, which it may not
        // set.
        let encoded = Cookie::new(name, "").encoded().to_string();
        let is_meant = |found: &str| found == name || Some(found) == encoded.strip_suffix('=');
        texts(&self.headers, COOKIE, b';')
            .filter_map(|cookie| cookie.split_once('='))
            .filter(|(found, _)| is_meant(found.trim()))
            .find_map(|(_, value)| percent_decode_str(value.trim()).decode_utf8().ok())
            .map(Cow::into_owned)
    }
}

/// Writes the methods of events that have a request. The event must have a
/// method `head` that returns it.
macro_rules! request_methods {
    ($event:ident $(<$parameter:ident>)?) => {
        impl$(<$parameter>)? $event$(<$parameter>)? {
            /// Returns the path as sent: percent-encoded, without the query.
            pub fn path(&self) -> &str {
                self.head().uri.path()
            }

            /// Returns the query (the part after the `?`) as sent; empty if
            /// there is none.
            pub fn query(&self) -> &str {
                self.head().uri.query().unwrap_or_default()
            }

            /// Returns the headers. They are the same for each version of HTTP:
            /// `Host` is the requested host, and cookies are on one line.
            pub fn headers(&self) -> &http::HeaderMap {
                &self.head().headers
            }

            /// Returns the decoded value of a cookie; `None` if the browser sent
            /// no cookie of that name, or one that is not UTF-8.
            pub fn cookie(&self, name: &str) -> Option<String> {
                self.head().cookie(name)
            }

            /// Returns the address the request came from: behind one of the
            /// endpoint's `trusted_proxies`, the client's, whose port is 0 unless
            /// the proxy tells it; behind another proxy, the proxy's. `None` if
            /// the server is embedded in an application that doesn't pass the
            /// address on.
            pub fn peer_address(&self) -> Option<std::net::SocketAddr> {
                self.head().peer
            }

            /// Returns the certificate that the client presented. `None` if the
            /// endpoint's `client_certificate` requests none, or is `optional`
            /// and the client presented none.
            pub fn client_certificate(
                &self,
            ) -> Option<&$crate::net::tls::certificate::ClientCertificate> {
                self.head().certificate.as_ref()
            }
        }
    };
}

pub(super) use request_methods;

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn head(lines: &[Vec<u8>]) -> RequestHead {
        let lines = lines.iter().filter_map(|line| HeaderValue::from_bytes(line).ok());
        let headers = lines.map(|line| (COOKIE, line)).collect();
        let (method, uri) = (Method::GET, Uri::from_static("/"));
        RequestHead { method, uri, headers, peer: None, forwarded: None, certificate: None }
    }

    proptest! {
        #[test]
        fn a_cookie_is_found_among_any_bytes(
            value in "[^\\x00-\\x1f\\x7f]*",
            before in prop::collection::vec(prop::num::u8::ANY, 0..40),
            after in prop::collection::vec(prop::num::u8::ANY, 0..40),
        ) {
            // Other cookies have no sign of equality here, so none has its name.
            let no_name = |bytes: Vec<u8>| {
                bytes.into_iter().filter(|byte| !b"=;".contains(byte)).collect::<Vec<_>>()
            };
            let (before, after) = (no_name(before), no_name(after));
            let cookie = Cookie::new("id", value.trim()).encoded().to_string();
            let line = [&before[..], b";", cookie.as_bytes(), b"; ", &after].concat();
            let found = head(std::slice::from_ref(&line)).cookie("id");
            if HeaderValue::from_bytes(&line).is_ok() {
                prop_assert_eq!(found.as_deref(), Some(value.trim()));
            }
            // In a line of its own, or beside one that is no header at all.
            let found = head(&[before, cookie.into_bytes(), after]).cookie("id");
            prop_assert_eq!(found.as_deref(), Some(value.trim()));
        }

        #[test]
        fn any_bytes_are_read_for_cookies(lines: Vec<Vec<u8>>, name in "[a-z%_-]{0,8}") {
            let _ = head(&lines).cookie(&name);
        }
    }
}
