//! How clients prove their identity: signed ids.

use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderMap, HeaderValue, USER_AGENT};
use pode_core::ClientId;
use ring::hmac;
use zeroize::Zeroizing;

use crate::base::error::StartError;

/// The fewest bytes of a secret: whoever has one signed id can try shorter ones.
const MIN_SECRET_BYTES: usize = 16;

/// What the secret signs begins with this, so that nothing else that a program
/// signs with the same secret is an id.
const PURPOSE: &[u8] = b"pode client id";

/// Whether client ids are signed: an option of the server.
///
/// Like Pode's `Enable-PodeSignalSigning`, but a signed id also says where and
/// how long it is good. It has the form `s:<id>.<until>.<signature>`, with the
/// second in which it expires, counted from 1970, and the HMAC-SHA256 of all that
/// it is bound to, in base64. Nobody can make one without the secret.
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

    /// Has a variable that isn't set replaced by its value here, or else by a
    /// random secret.
    #[cfg(feature = "test")]
    pub(crate) fn complete(&mut self, variables: &std::collections::HashMap<String, String>) {
        let Some(Signing { secret, .. }) = &mut self.signing else { return };
        let SecretSource::Variable(name) = &secret.0 else { return };
        if let Some(value) = variables.get(name) {
            *secret = value.as_str().into();
        } else if std::env::var_os(name).is_none() {
            let mut random = [0; 32];
            ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random)
                .expect("the system has random numbers");
            *secret = random.into();
        }
    }

    /// Reads the secret.
    pub(crate) fn signer(&self, lifetime: Duration) -> Result<IdSigner, StartError> {
        let read = |Signing { secret, is_strict }: &Signing<Secret>| {
            Ok(Signing { secret: secret.read()?, is_strict: *is_strict })
        };
        Ok(IdSigner { signing: self.signing.as_ref().map(read).transpose()?, lifetime })
    }
}

/// Signs the ids that are given out, if that is declared.
#[derive(Debug, Default)]
pub(crate) struct IdSigner {
    signing: Option<Signing<SecretBytes>>,
    lifetime: Duration,
}

/// Whom an id is given to, or comes from.
pub(crate) struct Holder<'a> {
    /// The declared path of the signal.
    pub(crate) signal: &'a str,
    /// The client's own path within a family.
    pub(crate) path: Option<&'a str>,
    /// Unknown of a client that is connected.
    pub(crate) headers: Option<&'a HeaderMap>,
    pub(crate) address: Option<IpAddr>,
}

impl<'a> Holder<'a> {
    /// Returns one of whom nothing but the path is known.
    pub(crate) fn at(signal: &'a str, path: Option<&'a str>) -> Holder<'a> {
        Holder { signal, path, headers: None, address: None }
    }
}

impl IdSigner {
    /// Returns for how long an id is good.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Whether ids are bound to an address and a user agent.
    pub(crate) fn are_strict(&self) -> bool {
        self.signing.as_ref().is_some_and(|signing| signing.is_strict)
    }

    /// Returns the id in the form that its holder gets.
    pub(crate) fn give_out(&self, id: &ClientId, holder: &Holder<'_>, now: SystemTime) -> String {
        let Some(signing) = &self.signing else { return id.to_string() };
        let until = seconds(now).saturating_add(self.lifetime.as_secs());
        let [id, until] = [id.to_string(), until.to_string()];
        let signature = hmac::sign(&signing.key(), &signing.signed(&id, &until, holder));
        format!("s:{id}.{until}.{}", STANDARD.encode(signature))
    }

    /// Reads an id that was given out; `None` if it was not given out, given to
    /// another holder, or has expired.
    pub(crate) fn take_back(
        &self,
        given: &str,
        holder: &Holder<'_>,
        now: SystemTime,
    ) -> Option<ClientId> {
        let Some(signing) = &self.signing else { return given.parse().ok() };
        let (rest, signature) = given.strip_prefix("s:")?.rsplit_once('.')?;
        let (id, until) = rest.rsplit_once('.')?;
        let signature = STANDARD.decode(signature).ok()?;
        // In constant time, whatever is wrong.
        hmac::verify(&signing.key(), &signing.signed(id, until, holder), &signature).ok()?;
        if seconds(now) >= until.parse().ok()? {
            return None;
        }
        id.parse().ok()
    }
}

impl Signing<SecretBytes> {
    fn key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &self.secret.0)
    }

    fn signed(&self, id: &str, until: &str, holder: &Holder<'_>) -> Vec<u8> {
        joined(&[PURPOSE, id.as_bytes(), until.as_bytes()], holder, self.is_strict)
    }
}

/// Returns what is signed for a holder: all parts, each with its length, so that none
/// can be read as another.
pub(crate) fn joined(parts: &[&[u8]], holder: &Holder<'_>, is_strict: bool) -> Vec<u8> {
    let mut parts = parts.to_vec();
    parts.extend([holder.signal.as_bytes(), holder.path.unwrap_or_default().as_bytes()]);
    let address = holder.address.map(|address| address.to_string()).unwrap_or_default();
    if is_strict {
        let agent = holder.headers.and_then(|headers| headers.get(USER_AGENT));
        parts.extend([agent.map_or(&[][..], HeaderValue::as_bytes), address.as_bytes()]);
    }
    let with_length = |part: &&[u8]| [&(part.len() as u64).to_be_bytes(), *part].concat();
    parts.iter().flat_map(with_length).collect()
}

/// Returns the seconds since 1970.
pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a secret of the server's";
    const LIFETIME: Duration = Duration::from_secs(3600);
    const START: u64 = 1_750_000_000;
    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    fn signer(ids: ClientIds) -> IdSigner {
        ids.signer(LIFETIME).unwrap()
    }

    fn agent(name: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(USER_AGENT, name.parse().unwrap())])
    }

    /// The holder of an id for `/chat`.
    fn holder(headers: &HeaderMap, address: Option<IpAddr>) -> Holder<'_> {
        Holder { headers: Some(headers), address, ..Holder::at("/chat", None) }
    }

    #[test]
    fn a_signed_id_is_known_again_and_nothing_else_is() {
        let ids = signer(signed_by(SECRET));
        let (x, other) = (agent("x"), agent("other"));
        let id: ClientId = "ada.l".parse().unwrap();
        let given = ids.give_out(&id, &holder(&x, HERE), at(START));
        assert!(given.starts_with("s:ada.l.1750003600."), "{given}");
        assert_eq!(ids.take_back(&given, &holder(&other, None), at(START)), Some(id.clone()));
        let signature = given.rsplit_once('.').unwrap().1;
        let elsewhere = signer(signed_by("a secret of another server's"));
        for forged in [
            "ada.l".to_owned(),
            "s:ada.l".to_owned(),
            "s:ada.l.".to_owned(),
            // As ids were signed before they expired.
            format!(
                "s:ada.l.{}",
                STANDARD.encode(hmac::sign(&ids.signing.as_ref().unwrap().key(), b"ada.l"))
            ),
            format!("s:ada.l.{signature}"),
            format!("s:bob.1750003600.{signature}"),
            format!("s:ada.l.1750003601.{signature}"),
            format!("s:ada.l1.750003600.{signature}"),
            format!("ada.l.1750003600.{signature}"),
            format!("{given}="),
            given.replace("ada", "Ada"),
            given[..given.len() - 5].to_owned(),
            elsewhere.give_out(&id, &holder(&x, HERE), at(START)),
        ] {
            let taken = ids.take_back(&forged, &holder(&x, HERE), at(START));
            assert_eq!(taken, None, "{forged}");
        }
    }

    #[test]
    fn a_signed_id_is_good_at_its_signal_and_for_its_time() {
        let ids = signer(signed_by(SECRET));
        let id = "ada".parse::<ClientId>().unwrap();
        let places = [
            Holder::at("/chat", None),
            Holder::at("/admin", None),
            Holder::at("/rooms/:room", Some("/rooms/1")),
            Holder::at("/rooms/:room", Some("/rooms/2")),
            Holder::at("/rooms/:number", Some("/rooms/1")),
        ];
        for (index, place) in places.iter().enumerate() {
            let given = ids.give_out(&id, place, at(START));
            for (other, place) in places.iter().enumerate() {
                let is_known = ids.take_back(&given, place, at(START)).is_some();
                assert_eq!(is_known, other == index, "{given} at {:?}", place.path);
            }
            // A clock that is set back does no harm.
            for (second, is_good) in [(0, true), (START + 3599, true), (START + 3600, false)] {
                let taken = ids.take_back(&given, place, at(second));
                assert_eq!(taken.is_some(), is_good, "{second}");
            }
        }
    }

    #[test]
    fn a_strict_id_is_of_no_use_to_others() {
        let ids = signer(signed_by(SECRET).strict());
        let (x, y, none) = (agent("x"), agent("y"), HeaderMap::new());
        let id: ClientId = "ada".parse().unwrap();
        let given = ids.give_out(&id, &holder(&x, HERE), at(START));
        let taken = |headers, address| ids.take_back(&given, &holder(headers, address), at(START));
        assert_eq!(taken(&x, HERE), Some(id));
        assert_eq!(taken(&y, HERE), None);
        assert_eq!(taken(&none, HERE), None);
        assert_eq!(taken(&x, None), None);
    }

    #[test]
    fn the_signature_is_of_all_parts_with_their_lengths() {
        let ids = signer(signed_by(SECRET).strict());
        let headers = agent("x");
        let place = Some("/rooms/1");
        let holder =
            Holder { headers: Some(&headers), address: HERE, ..Holder::at("/rooms/:room", place) };
        let given = ids.give_out(&"ada".parse().unwrap(), &holder, at(START));
        // By the `hmac` of Python.
        assert_eq!(given, "s:ada.1750003600.+liYvc4cS6Rk5T0tOo1/UdRJmh3Dw9dCVSRnMSb3P1A=");
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
            |secret: Secret| signed_by(secret).signer(LIFETIME).map(drop).unwrap_err().to_string();
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
        assert!(signed_by([7; MIN_SECRET_BYTES]).signer(LIFETIME).is_ok());
    }
}
