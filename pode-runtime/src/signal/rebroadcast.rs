//! Rebroadcasting: clients send to each other, as in Pode where no signal route
//! is declared.
//!
//! A client sends JSON with a `message`, and optionally `path`, `group`,
//! `clientId` or `direct` to name the recipients. They get only the message: a
//! string as plain text, anything else as JSON.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use pode_core::{ClientId, Message};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Signal;
use super::incoming::FromMessage;
use crate::app::event::SignalClient;
use crate::base::error::EventError;
use crate::base::outcome::BoxError;
use crate::push::engine::{Audience, Envelope, Recipients};
use crate::push::raw_message::RawMessage;

/// To which clients of a signal that is declared `=> rebroadcast` a client may
/// send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rebroadcast {
    /// To nobody: the option must be set to allow more.
    #[default]
    Nobody,

    /// To everybody, to any group, to any client; also to clients of other
    /// signals whose option is `Anyone`, by their `path`.
    Anyone,

    /// To the client's own groups, which handlers decide; and to itself.
    OwnGroups,
}

/// The signals that rebroadcast.
#[derive(Debug)]
struct Rebroadcasts {
    by_path: HashMap<&'static str, (Rebroadcast, Validate)>,
}

/// Checks that a message is of the type that a signal sends.
pub(crate) type Validate = fn(&RawValue) -> Result<(), String>;

/// A message that a client sends.
#[derive(Deserialize)]
struct ClientMessage {
    message: Box<RawValue>,
    path: Option<String>,
    group: Option<String>,
    #[serde(rename = "clientId")]
    client_id: Option<String>,
    #[serde(default)]
    direct: bool,
}

/// Sets the handlers of the signals that rebroadcast.
pub(crate) fn install_handlers(signals: &mut [Signal]) {
    let rebroadcasts = Arc::new(Rebroadcasts::of(signals));
    for signal in signals {
        let handlers = Arc::get_mut(&mut signal.handlers).expect("nothing has started yet");
        if handlers.rebroadcast.is_some() {
            let rebroadcasts = Arc::clone(&rebroadcasts);
            handlers.receive = Some(Box::new(move |client, incoming| {
                let rebroadcasts = Arc::clone(&rebroadcasts);
                async move { rebroadcasts.rebroadcast(&client, incoming.message).await }.boxed()
            }));
        }
    }
}

impl Rebroadcasts {
    fn of(signals: &[Signal]) -> Rebroadcasts {
        let open = signals.iter().filter_map(|signal| {
            let validate = signal.handlers.rebroadcast?;
            Some((signal.path, (signal.options.rebroadcast, validate)))
        });
        Rebroadcasts { by_path: open.collect() }
    }

    /// Sends a message on to its recipients.
    async fn rebroadcast(
        &self,
        client: &SignalClient,
        message: RawMessage,
    ) -> Result<(), BoxError> {
        let refused = |sentence: String| EventError::new(400, sentence);
        let written = ClientMessage::from_message(message).map_err(refused)?;
        let own = self.by_path.get(client.signal());
        let Some((scope, validate)) = own else { return Ok(()) };

        let (signal, path, validate) = match written.path.as_deref() {
            Some(other) if other != client.path() => {
                let open = self.by_path.get_key_value(other);
                match open {
                    Some((path, (Rebroadcast::Anyone, validate)))
                        if *scope == Rebroadcast::Anyone =>
                    {
                        (*path, None, validate)
                    }
                    _ => {
                        return Err(
                            refused(format!("path: nobody can be reached at {other:?}")).into()
                        );
                    }
                }
            }
            _ => (client.signal(), client.own_path(), validate),
        };
        validate(&written.message).map_err(refused)?;
        let recipients = recipients(&written, client, *scope).await?;
        let message = Message::text(&as_text(&written.message));
        let envelope = Envelope::new(Audience::of(path.clone(), recipients), message);
        Ok(client.context().signals.post(signal, path.as_deref(), envelope).await?)
    }
}

/// Returns the recipients of a message.
async fn recipients(
    written: &ClientMessage,
    client: &SignalClient,
    scope: Rebroadcast,
) -> Result<Recipients, BoxError> {
    let refused = |sentence: &'static str| Err(EventError::new(403, sentence).into());
    if written.direct {
        return Ok(Recipients::Client(client.id().clone()));
    }
    match scope {
        Rebroadcast::Nobody => refused("messages of clients go to nobody here"),
        Rebroadcast::Anyone => Ok(match (&written.client_id, &written.group) {
            (Some(id), _) => Recipients::Client(
                id.parse::<ClientId>()
                    .map_err(|error| EventError::new(400, format!("clientId: {error}")))?,
            ),
            (None, Some(group)) => Recipients::Group(group.as_str().into()),
            (None, None) => Recipients::Everyone,
        }),
        Rebroadcast::OwnGroups if written.client_id.is_some() => {
            refused("clientId: messages of clients go to their groups here")
        }
        Rebroadcast::OwnGroups => {
            let own = client.groups().await?;
            match (&written.group, &own[..]) {
                (Some(group), own) if own.contains(group) => {
                    Ok(Recipients::Group(group.as_str().into()))
                }
                (Some(_), _) => refused("group: you are not in this group"),
                (None, [group]) => Ok(Recipients::Group(group.as_str().into())),
                (None, []) => refused("you are in no group"),
                (None, _) => refused("group: say to which of your groups"),
            }
        }
    }
}

/// Returns a message as its recipients get it.
fn as_text(message: &RawValue) -> String {
    serde_json::from_str(message.get()).unwrap_or_else(|_| message.get().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_go_as_they_are_and_all_else_as_json() {
        let as_text = |json: &str| as_text(&RawValue::from_string(json.to_owned()).unwrap());
        assert_eq!(as_text(r#""h\u0069""#), "hi");
        assert_eq!(as_text(r#"{"a": 1.0}"#), r#"{"a": 1.0}"#);
        assert_eq!(as_text("null"), "null");
    }
}
