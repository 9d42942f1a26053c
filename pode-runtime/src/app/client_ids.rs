//! How clients prove their identity: signed ids.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use pode_core::ClientId;
use ring::hmac;
use zeroize::Zeroizing;

/// Whether client ids are signed: an option of the server.
///
/// Like Pode's `Enable-PodeSignalSigning`: a signed id has the form
/// `s:<id>.<signature>`. The signature is the HMAC-SHA256 of the id in base64.
/// Nobody can make one without the secret.
#[derive(Clone, Default)]
pub struct ClientIds {
    signing: Option<Signing>,
}

#[derive(Clone)]
struct Signing {
    secret: Zeroizing<Vec<u8>>,
    is_strict: bool,
}

/// Signs client ids with a secret. The secret should have 32 bytes or more, and
/// not be in the source code.
pub fn signed_by(secret: impl Into<Vec<u8>>) -> ClientIds {
    ClientIds { signing: Some(Signing { secret: Zeroizing::new(secret.into()), is_strict: false }) }
}

impl ClientIds {
    /// Also binds each signature to the client's address and user agent, so
    /// that nobody else can use the id.
    pub fn strict(mut self) -> ClientIds {
        if let Some(signing) = &mut self.signing {
            signing.is_strict = true;
        }
        self
    }

    /// Returns the id in the form that the client with these headers gets.
    pub(crate) fn give_out(
        &self,
        id: &ClientId,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> String {
        let Some(signing) = &self.signing else { return id.to_string() };
        let signature = hmac::sign(&signing.key(headers, address), id.to_string().as_bytes());
        format!("s:{id}.{}", STANDARD.encode(signature))
    }

    /// Reads an id that was given out; `None` if it was not given out, or given
    /// to another client.
    pub(crate) fn take_back(
        &self,
        given: &str,
        headers: &HeaderMap,
        address: Option<IpAddr>,
    ) -> Option<ClientId> {
        let Some(signing) = &self.signing else { return given.parse().ok() };
        let (id, signature) = given.strip_prefix("s:")?.rsplit_once('.')?;
        let signature = STANDARD.decode(signature).ok()?;
        // In constant time, whatever is wrong.
        hmac::verify(&signing.key(headers, address), id.as_bytes(), &signature).ok()?;
        id.parse().ok()
    }
}

impl Signing {
    fn key(&self, headers: &HeaderMap, address: Option<IpAddr>) -> hmac::Key {
        if !self.is_strict {
            return hmac::Key::new(hmac::HMAC_SHA256, &self.secret);
        }
        let agent = headers.get(USER_AGENT).map_or(&[][..], HeaderValue::as_bytes);
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        // Neither of them can contain a zero byte. Joined at once, so that no
        // copy of the secret is left where a vector grows.
        let bound = [&self.secret, agent, address.as_bytes()].join(&0);
        hmac::Key::new(hmac::HMAC_SHA256, &Zeroizing::new(bound))
    }
}

/// The secret isn't shown.
impl fmt::Debug for ClientIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.signing {
            Some(Signing { is_strict, .. }) => {
                f.debug_struct("Signed").field("is_strict", is_strict).finish_non_exhaustive()
            }
            None => f.write_str("Plain"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn agent(name: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(USER_AGENT, name.parse().unwrap())])
    }

    #[test]
    fn a_signed_id_is_known_again_and_nothing_else_is() {
        let ids = signed_by("a secret of the server's");
        let id: ClientId = "ada.l".parse().unwrap();
        let given = ids.give_out(&id, &agent("x"), HERE);
        assert!(given.starts_with("s:ada.l."));
        assert_eq!(ids.take_back(&given, &agent("other"), None), Some(id));
        let signature = given.rsplit_once('.').unwrap().1;
        for forged in [
            "ada.l".to_owned(),
            "s:ada.l".to_owned(),
            "s:ada.l.".to_owned(),
            format!("s:bob.{signature}"),
            format!("ada.l.{signature}"),
            format!("{given}="),
            given.replace("ada", "Ada"),
            given[..given.len() - 5].to_owned(),
            signed_by("another secret").give_out(&"ada.l".parse().unwrap(), &agent("x"), HERE),
        ] {
            assert_eq!(ids.take_back(&forged, &agent("x"), HERE), None, "{forged}");
        }
    }

    #[test]
    fn a_strict_id_is_of_no_use_to_others() {
        let ids = signed_by("a secret of the server's").strict();
        let id: ClientId = "ada".parse().unwrap();
        let given = ids.give_out(&id, &agent("x"), HERE);
        assert_eq!(ids.take_back(&given, &agent("x"), HERE), Some(id));
        assert_eq!(ids.take_back(&given, &agent("y"), HERE), None);
        assert_eq!(ids.take_back(&given, &HeaderMap::new(), HERE), None);
        assert_eq!(ids.take_back(&given, &agent("x"), None), None);
        assert!(!format!("{ids:?}").contains("secret of"));
    }

    #[test]
    fn the_signature_is_the_one_that_others_compute() {
        // By `printf ada | openssl dgst -sha256 -hmac key -binary | base64`.
        let signature = "cIpyfSR1NX6qzE+IyA1+7DIYzgyrzyaU9v7NCAVFzG8=";
        let given = signed_by("key").give_out(&"ada".parse().unwrap(), &HeaderMap::new(), None);
        assert_eq!(given, format!("s:ada.{signature}"));
    }
}
