//! Tickets, with which clients of `pode.v1` come back as the same.
//!
//! A ticket is base64url of: 1, whether the program has set the id, the second in which
//! it expires (8 bytes), the sequence of the client's messages (16), its id, and at last
//! the HMAC-SHA256 of all that and of what the ticket is bound to: the client's path,
//! and where ids are strict, its address and user agent.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pode_core::ClientId;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::app::client_ids::{Holder, IdSigner, joined, seconds};
use crate::app::sequences::SequenceId;
use crate::push::session::{Renewal, Renews};

/// What the key signs begins with this.
const PURPOSE: &[u8] = b"pode ticket";

const VERSION: u8 = 1;

const TAG_BYTES: usize = 32;

/// How many times a ticket is renewed before it would expire: a connection may miss
/// some of them.
const RENEWALS: u32 = 4;

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: ClientId,
    /// Whether the program has set the id: then it counts only if that is set again.
    pub(crate) is_set: bool,
    pub(crate) sequence: SequenceId,
}

/// Gives tickets out and takes them back.
#[derive(Debug)]
pub(crate) struct Tickets {
    key: RwLock<TicketKey>,
    lifetime: Duration,
    /// Whether they are bound to an address and a user agent.
    are_strict: bool,
}

/// Signs tickets. Never shown.
#[derive(Clone, Serialize, Deserialize)]
#[serde(from = "[u8; 32]", into = "[u8; 32]")]
pub(crate) struct TicketKey(Zeroizing<[u8; 32]>);

impl From<[u8; 32]> for TicketKey {
    fn from(key: [u8; 32]) -> TicketKey {
        TicketKey(key.into())
    }
}

impl From<TicketKey> for [u8; 32] {
    fn from(key: TicketKey) -> [u8; 32] {
        *key.0
    }
}

impl fmt::Debug for TicketKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

impl Tickets {
    /// Begins with a random key. Tickets are good as long as ids are.
    pub(crate) fn new(client_ids: &IdSigner) -> Tickets {
        let mut key = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *key).expect("the system has random numbers");
        Tickets {
            key: RwLock::new(TicketKey(key)),
            lifetime: client_ids.lifetime(),
            are_strict: client_ids.are_strict(),
        }
    }

    /// Returns the key, for the process that takes over.
    pub(crate) fn key(&self) -> TicketKey {
        self.key.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes on with the key of another process.
    pub(crate) fn set_key(&self, key: TicketKey) {
        *self.key.write().unwrap_or_else(PoisonError::into_inner) = key;
    }

    pub(crate) fn give_out(&self, ticket: &Ticket, holder: &Holder<'_>, now: SystemTime) -> String {
        let Ticket { id, is_set, sequence } = ticket;
        let until = seconds(now).saturating_add(self.lifetime.as_secs()).to_be_bytes();
        let id = id.to_string();
        let mut bytes =
            [&[VERSION, u8::from(*is_set)][..], &until, &sequence.bytes(), id.as_bytes()].concat();
        let tag = hmac::sign(&self.signing_key(), &self.signed(&bytes, holder));
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a ticket that was given out; `None` if it was not given out by this server,
    /// is of another path, or has expired.
    pub(crate) fn take_back(
        &self,
        given: &str,
        holder: &Holder<'_>,
        now: SystemTime,
    ) -> Option<Ticket> {
        let bytes = URL_SAFE_NO_PAD.decode(given).ok()?;
        let (bytes, tag) = bytes.split_at_checked(bytes.len().checked_sub(TAG_BYTES)?)?;
        // In constant time, whatever is wrong.
        hmac::verify(&self.signing_key(), &self.signed(bytes, holder), tag).ok()?;
        let ([VERSION, is_set], bytes) = bytes.split_first_chunk()? else { return None };
        let (until, bytes) = bytes.split_first_chunk()?;
        let (sequence, id) = bytes.split_first_chunk()?;
        if seconds(now) >= u64::from_be_bytes(*until) {
            return None;
        }
        let id = std::str::from_utf8(id).ok()?.parse().ok()?;
        Some(Ticket { id, is_set: *is_set == 1, sequence: SequenceId::from_bytes(*sequence) })
    }

    fn signing_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &*self.key().0)
    }

    fn signed(&self, bytes: &[u8], holder: &Holder<'_>) -> Vec<u8> {
        joined(&[PURPOSE, bytes], holder, self.are_strict)
    }
}

impl Renews for Tickets {
    fn period(&self) -> Option<Duration> {
        // The address and the user agent of a connected client are no longer known.
        (!self.are_strict).then(|| self.lifetime / RENEWALS)
    }

    fn renew(&self, renewal: &Renewal<'_>) -> String {
        let Renewal { signal, path, id, is_set, sequence } = *renewal;
        let sequence = SequenceId::from_bytes(sequence.unwrap_or_default());
        let ticket = Ticket { id: id.clone(), is_set, sequence };
        self.give_out(&ticket, &Holder::at(signal, path), SystemTime::now())
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use http::HeaderMap;
    use http::header::USER_AGENT;
    use proptest::prelude::*;

    use super::*;
    use crate::app::client_ids::{ClientIds, signed_by};

    const LIFETIME: Duration = Duration::from_secs(3600);
    const START: u64 = 1_750_000_000;

    fn at(second: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(second)
    }

    fn tickets(client_ids: ClientIds) -> Tickets {
        Tickets::new(&client_ids.signer(LIFETIME).unwrap())
    }

    fn ticket(id: &str) -> Ticket {
        let sequence = SequenceId::from_bytes(*b"0123456789abcdef");
        Ticket { id: id.parse().unwrap(), is_set: id == "ada", sequence }
    }

    #[test]
    fn a_ticket_says_what_it_said_and_no_other_does() {
        let tickets = tickets(ClientIds::default());
        let chat = Holder::at("/chat", None);
        for id in ["ada", "0192f3a1-7b1c-7def-8123-456789abcdef", &"x".repeat(128)] {
            let given = tickets.give_out(&ticket(id), &chat, at(START));
            assert!(given.len() <= 256 && !given.contains(['+', '/', '=', ',', '.']), "{given}");
            assert_eq!(tickets.take_back(&given, &chat, at(START)), Some(ticket(id)));
            let bytes = URL_SAFE_NO_PAD.decode(&given).unwrap();
            for index in 0..bytes.len() {
                for bit in 0..8 {
                    let mut forged = bytes.clone();
                    forged[index] ^= 1 << bit;
                    let forged = URL_SAFE_NO_PAD.encode(forged);
                    assert_eq!(tickets.take_back(&forged, &chat, at(START)), None, "{index} {bit}");
                }
            }
            for cut in 0..given.len() {
                assert_eq!(tickets.take_back(&given[..cut], &chat, at(START)), None);
            }
        }
    }

    #[test]
    fn a_ticket_is_good_at_its_path_at_its_server_and_for_its_time() {
        let tickets = tickets(ClientIds::default());
        let places = [
            Holder::at("/chat", None),
            Holder::at("/admin", None),
            Holder::at("/rooms/:room", Some("/rooms/1")),
            Holder::at("/rooms/:room", Some("/rooms/2")),
        ];
        for (index, place) in places.iter().enumerate() {
            let given = tickets.give_out(&ticket("ada"), place, at(START));
            for (other, place) in places.iter().enumerate() {
                let is_good = tickets.take_back(&given, place, at(START)).is_some();
                assert_eq!(is_good, other == index, "{:?}", place.path);
            }
            for (second, is_good) in [(0, true), (START + 3599, true), (START + 3600, false)] {
                let taken = tickets.take_back(&given, place, at(second));
                assert_eq!(taken.is_some(), is_good, "{second}");
            }
        }
        let other = self::tickets(ClientIds::default());
        let given = tickets.give_out(&ticket("ada"), &places[0], at(START));
        assert_eq!(other.take_back(&given, &places[0], at(START)), None);
        // The one that takes over knows them.
        other.set_key(tickets.key());
        assert_eq!(other.take_back(&given, &places[0], at(START)), Some(ticket("ada")));
    }

    proptest! {
        #[test]
        fn no_text_is_a_ticket(text in "[A-Za-z0-9_-]{0,300}|.{0,40}", bytes: Vec<u8>) {
            let (tickets, chat) = (tickets(ClientIds::default()), Holder::at("/chat", None));
            prop_assert_eq!(tickets.take_back(&text, &chat, at(START)), None);
            // Nor is what has its form.
            let given = [&[VERSION, 0, 0xff][..], &bytes].concat();
            let given = URL_SAFE_NO_PAD.encode(given);
            prop_assert_eq!(tickets.take_back(&given, &chat, at(START)), None);
        }
    }

    #[test]
    fn a_strict_ticket_is_of_no_use_to_others() {
        let tickets = tickets(signed_by("a secret of the server's").strict());
        let agent =
            |name: &'static str| HeaderMap::from_iter([(USER_AGENT, name.parse().unwrap())]);
        let (x, y) = (agent("x"), agent("y"));
        let here = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let holder = |headers, address| Holder {
            headers: Some(headers),
            address,
            ..Holder::at("/chat", None)
        };
        let given = tickets.give_out(&ticket("ada"), &holder(&x, here), at(START));
        let is_good = |holder| tickets.take_back(&given, &holder, at(START)).is_some();
        assert!(is_good(holder(&x, here)));
        assert!(!is_good(holder(&y, here)) && !is_good(holder(&x, None)));
        assert_eq!(tickets.period(), None);
    }

    #[test]
    fn the_key_is_never_shown() {
        let tickets = tickets(ClientIds::default());
        assert!(format!("{tickets:?}").contains("key: RwLock { data: .., "), "{tickets:?}");
    }
}
