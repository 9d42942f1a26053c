//! How clients prove their identity: signed ids.

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use pode_core::ClientId;
use ring::hmac;
use zeroize::Zeroizing;

use crate::base::error::StartError;

/// The fewest bytes of a secret. From one signature, fewer could be found by
/// trying.
const MIN_SECRET_BYTES: usize = 16;

/// Whether client ids are signed: an option of the server.
///
/// Like Pode's `Enable-PodeSignalSigning`: a signed id has the form
/// `s:<id>.<signature>`. The signature is the HMAC-SHA256 of the id in base64.
/// Nobody can make one without the secret.
#[derive(Clone, Debug, Default)]
pub struct ClientIds {
    signing: Option<Signing<Secret>>,
}

/// Signs client ids with a secret: [`secret_from_env`], or bytes or a text that
/// the program has from elsewhere.
///
/// The secret is read when the server starts. The start fails if it is missing
/// or has fewer than 16 bytes; 32 random ones are good. After a change of the
/// secret, ids that were signed before aren't valid any more.
pub fn signed_by(secret: impl Into<Secret>) -> ClientIds {
    ClientIds { signing: Some(Signing { secret: secret.into(), is_strict: false }) }
}

/// Takes the secret of [`signed_by`] from an environment variable when the
/// server starts. `openssl rand -hex 32` makes one.
pub fn secret_from_env(name: impl Into<String>) -> Secret {
    Secret(SecretSource::Variable(name.into()))
}

/// Where a secret comes from. The secret itself is never shown.
///
/// Texts and bytes are secrets, too, but one in the code is in every copy of the
/// program.
#[derive(Clone, Debug)]
pub struct Secret(SecretSource);

#[derive(Clone, Debug)]
enum SecretSource {
    Bytes(SecretBytes),
    Variable(String),
}

#[derive(Clone)]
struct SecretBytes(Zeroizing<Vec<u8>>);

/// The secret isn't shown.
impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl<T: Into<Vec<u8>>> From<T> for Secret {
    fn from(bytes: T) -> Secret {
        Secret(SecretSource::Bytes(SecretBytes(bytes.into().into())))
    }
}

impl Secret {
    fn read(&self) -> Result<SecretBytes, StartError> {
        let (secret, variable) = match &self.0 {
            SecretSource::Bytes(bytes) => (bytes.clone(), None),
            SecretSource::Variable(name) => {
                let missing = || StartError::NoSecret { variable: name.clone() };
                let value = std::env::var_os(name).ok_or_else(missing)?;
                (SecretBytes(value.into_encoded_bytes().into()), Some(name.clone()))
            }
        };
        if secret.0.len() < MIN_SECRET_BYTES {
            return Err(StartError::ShortSecret { variable });
        }
        Ok(secret)
    }
}

#[derive(Clone, Debug)]
struct Signing<Secret> {
    secret: Secret,
    is_strict: bool,
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

    /// Reads the secret.
    pub(crate) fn signer(&self) -> Result<IdSigner, StartError> {
        let read = |Signing { secret, is_strict }: &Signing<Secret>| {
            Ok(Signing { secret: secret.read()?, is_strict: *is_strict })
        };
        Ok(IdSigner { signing: self.signing.as_ref().map(read).transpose()? })
    }
}

/// Signs the ids that are given out, if that is declared.
#[derive(Debug, Default)]
pub(crate) struct IdSigner {
    signing: Option<Signing<SecretBytes>>,
}

impl IdSigner {
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

impl Signing<SecretBytes> {
    fn key(&self, headers: &HeaderMap, address: Option<IpAddr>) -> hmac::Key {
        if !self.is_strict {
            return hmac::Key::new(hmac::HMAC_SHA256, &self.secret.0);
        }
        let agent = headers.get(USER_AGENT).map_or(&[][..], HeaderValue::as_bytes);
        let address = address.map(|address| address.to_string()).unwrap_or_default();
        // Neither of them can contain a zero byte. Joined at once, so that no
        // copy of the secret is left where a vector grows.
        let bound = [&self.secret.0, agent, address.as_bytes()].join(&0);
        hmac::Key::new(hmac::HMAC_SHA256, &Zeroizing::new(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of the server's";
    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn signer(ids: ClientIds) -> IdSigner {
        ids.signer().unwrap()
    }

    fn agent(name: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(USER_AGENT, name.parse().unwrap())])
    }

    #[test]
    fn a_signed_id_is_known_again_and_nothing_else_is() {
        let ids = signer(signed_by(SECRET));
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
            signer(signed_by("a secret of another server's")).give_out(
                &"ada.l".parse().unwrap(),
                &agent("x"),
                HERE,
            ),
        ] {
            assert_eq!(ids.take_back(&forged, &agent("x"), HERE), None, "{forged}");
        }
    }

    #[test]
    fn a_strict_id_is_of_no_use_to_others() {
        let ids = signer(signed_by(SECRET).strict());
        let id: ClientId = "ada".parse().unwrap();
        let given = ids.give_out(&id, &agent("x"), HERE);
        assert_eq!(ids.take_back(&given, &agent("x"), HERE), Some(id));
        assert_eq!(ids.take_back(&given, &agent("y"), HERE), None);
        assert_eq!(ids.take_back(&given, &HeaderMap::new(), HERE), None);
        assert_eq!(ids.take_back(&given, &agent("x"), None), None);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let ids = signed_by(SECRET).strict();
        for shown in [format!("{ids:?}"), format!("{:?}", signer(ids))] {
            assert!(!shown.contains("secret of") && !shown.contains("97"), "{shown}");
        }
        assert!(format!("{:?}", secret_from_env("NAME")).contains("NAME"));
    }

    #[test]
    fn a_secret_that_is_short_or_missing_signs_nothing() {
        let refused =
            |secret: Secret| signed_by(secret).signer().map(drop).unwrap_err().to_string();
        assert_eq!(
            refused(secret_from_env("PODE_NOT_SET")),
            "the environment variable `PODE_NOT_SET`, which should hold the secret of \
             `client_ids`, is not set; make one by `openssl rand -hex 32`"
        );
        for short in ["", "of fifteen byte"] {
            assert_eq!(
                refused(short.into()),
                "the secret of `client_ids` has fewer than 16 bytes; make one by `openssl rand \
                 -hex 32`"
            );
        }
        assert!(signed_by([7; MIN_SECRET_BYTES]).signer().is_ok());
    }
}
