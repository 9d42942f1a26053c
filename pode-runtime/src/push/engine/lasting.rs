//! Which messages count however long ago they were sent: the last one of each path, or of
//! each of its keys.
//!
//! Where a backplane keeps but so many messages of a signal, it keeps these besides. A
//! message to a group is the last one to that group, and one from which a client is
//! excepted doesn't take the place of one that is for that client, too. What is for a
//! single client is none of these: there may be any number of clients.

use super::envelope::{Audience, Content, Envelope, Recipients};

/// Of what each last message counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// Of each path, and each group there.
    OfPaths,
    /// Of each key at each path.
    OfKeys,
}

/// Of what a message is the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LastOf {
    /// Names that. It isn't empty.
    pub(crate) name: String,
    /// Whether there is none any more: its key is removed.
    pub(crate) is_removed: bool,
}

impl Lasting {
    /// Returns of what a message is the last one, until another one is.
    pub(crate) fn last_of(self, envelope: &Envelope) -> Option<LastOf> {
        let Content { audience, key, message } = envelope.content()?;
        let path = audience.and_then(|audience| audience.path.as_deref()).unwrap_or_default();
        let of = |kind, what| format!("{}{kind}{path}{what}", path.len());
        let name = match (self, key, audience) {
            (Lasting::OfKeys, Some(key), _) => of('k', &**key),
            (Lasting::OfPaths, None, None) => of('e', ""),
            (Lasting::OfPaths, None, Some(Audience { recipients, except, .. })) => {
                match (recipients, except) {
                    (Recipients::Everyone, None) => of('e', ""),
                    (Recipients::Everyone, Some(_)) => of('x', ""),
                    (Recipients::Group(group), None) => of('g', group),
                    (Recipients::Group(group), Some(_)) => of('y', group),
                    (Recipients::Client(_), _) => return None,
                }
            }
            (Lasting::OfKeys, None, _) | (Lasting::OfPaths, Some(_), _) => return None,
        };
        Some(LastOf { name, is_removed: key.is_some() && message.frame().is_empty() })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pode_core::Message;

    use super::*;

    fn room(number: u8) -> Option<Arc<str>> {
        Some(format!("/rooms/{number}").into())
    }

    #[test]
    fn each_path_and_key_has_a_last_message_of_its_own() {
        let text = || Message::text("1");
        let keyed = |path, key: &str, message| Envelope::keyed(path, key.into(), message);
        let to = |number, recipients, except: Option<&str>| {
            let except = except.map(|client| client.parse().unwrap());
            Envelope::new(Audience { except, ..Audience::of(room(number), recipients) }, text())
        };
        let group = |name: &str| Recipients::Group(name.into());
        let of_keys = [
            keyed(None, "1", text()),
            keyed(room(1), "1", text()),
            keyed(room(1), "11", text()),
            keyed(room(11), "1", text()),
        ];
        let of_paths = [
            Envelope::Broadcast(text()),
            to(1, Recipients::Everyone, None),
            to(1, Recipients::Everyone, Some("ada")),
            to(1, group("1"), None),
            to(1, group("1"), Some("ada")),
            to(11, Recipients::Everyone, None),
            to(11, group(""), None),
        ];
        for (lasting, own, others) in [
            (Lasting::OfKeys, &of_keys[..], &of_paths[..]),
            (Lasting::OfPaths, &of_paths, &of_keys),
        ] {
            let names = own.iter().map(|envelope| lasting.last_of(envelope).unwrap().name);
            let mut names: Vec<_> = names.collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), own.len(), "{names:?}");
            assert!(others.iter().all(|envelope| lasting.last_of(envelope).is_none()));
        }
        let client = Recipients::Client("ada".parse().unwrap());
        assert_eq!(Lasting::OfPaths.last_of(&to(1, client, None)), None);
        let removal = Lasting::OfKeys.last_of(&keyed(room(1), "1", Message::removal())).unwrap();
        let message = Lasting::OfKeys.last_of(&of_keys[1]).unwrap();
        assert_eq!((removal.name, removal.is_removed), (message.name, true));
        assert!(!message.is_removed);
    }
}
