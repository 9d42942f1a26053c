//! The clients of a signal: to list, to group, and to close.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

#[cfg(feature = "test")]
use pode_core::Message;
use pode_core::frame::Close;
use pode_core::hub::{Position, Presence};
use pode_core::{ClientId, SendError, SignalTarget};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use crate::net::connection_limit::SharedPermit;
use crate::push::engine::{
    Audience, Command, Envelope, Found, Hello, PostOutcome, Posted, Query, Recipients,
};
use crate::push::publisher::Signals;

/// The clients of a signal, or of one path of a family; see
/// [`Signals::clients`].
///
/// Queries and commands travel through the signal's channel, as messages do.
/// They take effect after everything that was sent before, on the clients that
/// are connected then, and wait for capacity as a send does. Before the server
/// starts, no query is answered.
///
/// Queries are answered by this process alone. Where it hands over, or a backplane joins
/// it with others, those have clients of their own, of whom only
/// [`present`](Self::present) knows. Commands are for clients of whatever process.
///
/// Cancel safe: a command that is dropped before it is done takes effect as a
/// whole or not at all.
#[derive(Clone, Debug)]
pub struct Clients {
    signals: Signals,
    /// The declared path.
    signal: &'static str,
    /// The path within a family.
    path: Option<Arc<str>>,
}

impl Signals {
    /// Returns the clients of a signal, or of one path of a family, to list,
    /// group or close them, or to know who is present.
    pub fn clients<S: SignalTarget>(&self, signal: S) -> Clients {
        self.clients_at(signal.declared_path(), signal.concrete_path().cloned())
    }

    pub(crate) fn clients_at(&self, signal: &'static str, path: Option<Arc<str>>) -> Clients {
        Clients { signals: self.clone(), signal, path }
    }
}

impl Clients {
    /// Returns the ids of all clients of this process, in no particular order.
    ///
    /// # Errors
    ///
    /// The channel stayed full too long, the server has stopped, or it doesn't
    /// declare the signal.
    pub async fn list(&self) -> Result<Vec<ClientId>, SendError> {
        Ok(ids(self.find(Recipients::Everyone).await?))
    }

    /// Returns who is present (`presence`), in the order of their ids, with what `on connect`
    /// said of them; clients of other nodes and processes of the server among them.
    ///
    /// That is so at this moment, whatever clients have been told yet. Who was cut off is
    /// present for the signal's `presence_grace`.
    ///
    /// # Errors
    ///
    /// The signal isn't declared with `presence`, or by this server; or what was said of a
    /// client is no `T`.
    pub fn present<T: DeserializeOwned>(&self) -> Result<Vec<(ClientId, T)>, SendError> {
        let present = self.presence(|presence| {
            let present = presence.at(&self.path);
            Vec::from_iter(present.map(|(id, present)| (id.clone(), Arc::clone(&present.info))))
        })?;
        present.into_iter().map(|(id, info)| Ok((id, self.read(&info)?))).collect()
    }

    /// Returns what is told of a client, if it is present; else as [`present`](Self::present).
    ///
    /// # Errors
    ///
    /// As for [`present`](Self::present).
    pub fn present_client<T: DeserializeOwned>(
        &self,
        client: &ClientId,
    ) -> Result<Option<T>, SendError> {
        let info = self.presence(|presence| {
            presence.client(&self.path, client).map(|present| Arc::clone(&present.info))
        })?;
        info.map(|info| self.read(&info)).transpose()
    }

    fn presence<T>(&self, look: impl FnOnce(&Presence) -> T) -> Result<T, SendError> {
        let path = self.signal;
        let channel = self.signals.channel(path, self.path.as_deref())?;
        let (Some(log), Some(_)) = (channel.log(), self.signals.presence_grace(path)) else {
            return Err(SendError::NoPresence { path });
        };
        Ok(log.with(|log| look(log.presence())))
    }

    fn read<T: DeserializeOwned>(&self, info: &str) -> Result<T, SendError> {
        let read = serde_json::from_str(info);
        read.map_err(|source| SendError::Present { path: self.signal, source })
    }

    /// Returns the ids of a group's members in this process, in no particular order.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn list_group(&self, group: &str) -> Result<Vec<ClientId>, SendError> {
        Ok(ids(self.find(Recipients::Group(group.into())).await?))
    }

    /// Returns whether a client is connected to this process.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn contains(&self, client: &ClientId) -> Result<bool, SendError> {
        Ok(!self.find(Recipients::Client(client.clone())).await?.is_empty())
    }

    /// Returns the names of all groups that have members in this process, sorted.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn groups(&self) -> Result<Vec<String>, SendError> {
        Ok(groups(self.find(Recipients::Everyone).await?))
    }

    /// Returns the names of a client's groups, sorted; empty if it isn't
    /// connected to this process.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn groups_of(&self, client: &ClientId) -> Result<Vec<String>, SendError> {
        Ok(groups(self.find(Recipients::Client(client.clone())).await?))
    }

    /// Adds a client to a group: it gets the messages that are sent there from
    /// now on. A group exists as long as it has members. A client that is in
    /// 1,000 groups joins no further one, nor one with a name of more than 1,024
    /// bytes, which the log says.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn join_group(&self, client: &ClientId, group: &str) -> Result<(), SendError> {
        self.change(Command::Join(self.audience(Recipients::Client(client.clone())), group.into()))
            .await
    }

    /// Removes a client from a group.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list).
    pub async fn leave_group(&self, client: &ClientId, group: &str) -> Result<(), SendError> {
        self.change(Command::Leave(self.audience(Recipients::Client(client.clone())), group.into()))
            .await
    }

    /// Closes a client's connection after the messages that were sent before.
    /// The code is 1000 for a normal close, or an application code from 4000 to
    /// 4999; those that RFC 6455 (section 7.4) lets a server send, and 3000 to
    /// 3999, are taken, too. The reason has at most 123 bytes.
    ///
    /// # Errors
    ///
    /// As for [`list`](Self::list), and [`SendError::Close`] if the code or the
    /// reason is not valid.
    pub async fn close(
        &self,
        client: &ClientId,
        code: u16,
        reason: impl Into<Cow<'static, str>>,
    ) -> Result<(), SendError> {
        self.close_some(Recipients::Client(client.clone()), code, reason.into()).await
    }

    /// Closes all members of a group; see [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close).
    pub async fn close_group(
        &self,
        group: &str,
        code: u16,
        reason: impl Into<Cow<'static, str>>,
    ) -> Result<(), SendError> {
        self.close_some(Recipients::Group(group.into()), code, reason.into()).await
    }

    /// Closes all clients; see [`close`](Self::close).
    ///
    /// # Errors
    ///
    /// As for [`close`](Self::close).
    pub async fn close_all(
        &self,
        code: u16,
        reason: impl Into<Cow<'static, str>>,
    ) -> Result<(), SendError> {
        self.close_some(Recipients::Everyone, code, reason.into()).await
    }

    async fn close_some(
        &self,
        recipients: Recipients,
        code: u16,
        reason: Cow<'static, str>,
    ) -> Result<(), SendError> {
        let close = Close::own(code, reason)
            .map_err(|source| SendError::Close { path: self.signal, source })?;
        self.change(Command::Close(self.audience(recipients), close)).await
    }

    /// Admits the client with this arrival number.
    ///
    /// Messages that it missed since a position come first, and before them its
    /// `hello`, if it speaks `pode.v1`. Returns the position
    /// from which on it gets all, if messages have numbers.
    pub(crate) async fn admit(
        &self,
        client: ClientId,
        arrival: u64,
        since: Option<Position>,
        hello: Option<Hello>,
    ) -> Result<Option<Position>, SendError> {
        let client = self.audience(Recipients::Client(client));
        let position = self.command(Command::Admit { client, arrival, since, hello }).await?;
        Ok(since.filter(|_| position.is_some()).or(position))
    }

    /// Returns the permit of a client that is connected, for the connection that is to
    /// take its place; `None` if another one has that already.
    pub(crate) async fn share_permit(&self, client: &ClientId) -> Option<SharedPermit> {
        let (asker, permit) = oneshot::channel();
        let client = self.audience(Recipients::Client(client.clone()));
        self.command(Command::SharePermit(client, Mutex::new(Some(asker)))).await.ok()?;
        permit.await.ok()
    }

    /// Has a client that hears an event stream take a message, as if it came from its
    /// connection; `None` if it isn't here.
    pub(crate) async fn receive(
        &self,
        client: &ClientId,
        sequence: [u8; 16],
        text: String,
    ) -> Option<PostOutcome> {
        let (asker, received) = oneshot::channel();
        let client = self.audience(Recipients::Client(client.clone()));
        let message = Mutex::new(Some(Posted { text, asker }));
        self.command(Command::Receive { client, sequence, message }).await.ok()?;
        received.await.ok()
    }

    /// Returns the path at which the clients are.
    #[cfg(feature = "test")]
    pub(crate) fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(self.signal)
    }

    /// Returns once what the clients have sent so far is handled.
    #[cfg(feature = "test")]
    pub(crate) async fn handled(&self) -> Result<(), SendError> {
        let (handled, mut all_handled) = tokio::sync::mpsc::channel(1);
        self.command(Command::WhenHandled(handled)).await?;
        while all_handled.recv().await.is_some() {}
        Ok(())
    }

    /// Has a client get this behind all that was sent to it before.
    #[cfg(feature = "test")]
    pub(crate) async fn mark(&self, client: ClientId, marker: Message) -> Result<(), SendError> {
        let client = self.audience(Recipients::Client(client));
        self.command(Command::Mark(client, marker)).await.map(drop)
    }

    async fn find(&self, recipients: Recipients) -> Result<Vec<Found>, SendError> {
        let (query, answer) = Query::new();
        self.command(Command::Find(self.audience(recipients), query)).await?;
        answer.await.map_err(|_| SendError::Stopped { path: self.signal })
    }

    async fn command(&self, command: Command) -> Result<Option<Position>, SendError> {
        self.signals.command(self.signal, self.path.as_deref(), command).await
    }

    /// Changes clients, also those of a process that hands over.
    async fn change(&self, change: Command) -> Result<(), SendError> {
        let envelope = Envelope::Command(Arc::new(change));
        self.signals.post(self.signal, self.path.as_deref(), envelope).await
    }

    fn audience(&self, recipients: Recipients) -> Audience {
        Audience::of(self.path.clone(), recipients)
    }
}

fn ids(found: Vec<Found>) -> Vec<ClientId> {
    found.into_iter().map(|found| found.id).collect()
}

fn groups(found: Vec<Found>) -> Vec<String> {
    let groups = found.into_iter().flat_map(|found| found.groups);
    let sorted: BTreeSet<Arc<str>> = groups.collect();
    sorted.iter().map(|group| group.to_string()).collect()
}
