//! Redis's PUBLISH, which keeps nothing, in batches as those of the backplane.

use std::io;

use futures_util::StreamExt;
use redis::aio::MultiplexedConnection;
use redis::{Client, pipe};
use tokio::sync::{mpsc, oneshot, watch};

use super::bare::quoted;
use super::{Relay, Unsent};

const BATCH: usize = 512;

#[derive(Clone)]
pub(super) struct Published {
    sender: mpsc::Sender<(Vec<u8>, oneshot::Sender<()>)>,
    read: watch::Receiver<u64>,
}

pub(super) async fn start(url: &str, name: &str) -> io::Result<Published> {
    let (channel, client) =
        (format!("published:{name}"), Client::open(url).map_err(io::Error::other)?);
    let writer = client.get_multiplexed_async_connection().await.map_err(io::Error::other)?;
    let mut subscriber = client.get_async_pubsub().await.map_err(io::Error::other)?;
    subscriber.subscribe(&channel).await.map_err(io::Error::other)?;
    let (sender, receiver) = mpsc::channel(2 * BATCH);
    let (progress, read) = watch::channel(0);
    tokio::spawn(publish(writer, channel, receiver));
    tokio::spawn(async move {
        let mut messages = subscriber.into_on_message();
        while messages.next().await.is_some() {
            progress.send_modify(|read| *read += 1);
        }
    });
    Ok(Published { sender, read })
}

async fn publish(
    mut connection: MultiplexedConnection,
    channel: String,
    mut receiver: mpsc::Receiver<(Vec<u8>, oneshot::Sender<()>)>,
) -> redis::RedisResult<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let mut commands = pipe();
        for (body, _) in &batch {
            commands.cmd("PUBLISH").arg(&channel).arg(body);
        }
        commands.query_async::<Vec<u64>>(&mut connection).await?;
        for (_, taken) in batch.drain(..) {
            let _ = taken.send(());
        }
    }
    Ok(())
}

impl Relay for Published {
    async fn put(&self, text: String) -> io::Result<()> {
        let (taken, _) = oneshot::channel();
        self.sender.send((quoted(text), taken)).await.map_err(io::Error::other)
    }

    async fn send(&self, text: String) -> Result<(), Unsent> {
        let (taken, is_taken) = oneshot::channel();
        self.sender.send((quoted(text), taken)).await.map_err(|_| Unsent::Never)?;
        is_taken.await.map_err(|_| Unsent::Unknown)
    }

    async fn settle(&self, messages: u64) -> io::Result<()> {
        let mut read = self.read.clone();
        read.wait_for(|read| *read >= messages).await.map_err(io::Error::other)?;
        Ok(())
    }
}
