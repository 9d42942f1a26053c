//! What somebody would write with the crate `redis` alone, and care: the commands that a
//! node of pode gives, in the same batches, and nothing else.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Value, cmd, pipe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

use super::{Relay, Unsent};

/// As the backplane has them.
const BATCH: usize = 512;
const READ_AT_ONCE: usize = 128;
const KEPT: usize = 65_536;

#[derive(Clone)]
pub(super) struct Bare {
    /// `None` without a Redis.
    sender: Option<mpsc::Sender<ToAppend>>,
    read: watch::Receiver<u64>,
    clients: Clients,
    port: u16,
}

struct ToAppend {
    body: Vec<u8>,
    /// Told when it is back.
    arrived: Option<oneshot::Sender<()>>,
}

/// Who waits for what this node has sent, in its order.
type Waiting = Arc<Mutex<VecDeque<Option<oneshot::Sender<()>>>>>;

/// Sockets, to which frames are written.
#[derive(Clone, Default)]
struct Clients(Arc<Mutex<Vec<TcpStream>>>);

pub(super) async fn start(redis: Option<(&str, &str)>) -> io::Result<Bare> {
    let (clients, (progress, read)) = (Clients::default(), watch::channel(0));
    let sender = match redis {
        None => None,
        Some((url, name)) => {
            let (key, client) =
                (format!("bare:{name}"), Client::open(url).map_err(io::Error::other)?);
            let (sender, receiver) = mpsc::channel(2 * BATCH);
            // Without a limit to how long an answer takes, which a read may wait for.
            let config = AsyncConnectionConfig::new().set_response_timeout(None);
            let connect = || client.get_multiplexed_async_connection_with_config(&config);
            let mut writer = connect().await.map_err(io::Error::other)?;
            let reader = connect().await.map_err(io::Error::other)?;
            let (node, waiting) = (std::process::id(), Waiting::default());
            // The first node makes it.
            let mut first = cmd("XADD");
            first.arg(&key).arg("1-1").arg("m").arg("");
            let _ = first.query_async::<Value>(&mut writer).await;
            tokio::spawn(append(writer, key.clone(), node, Arc::clone(&waiting), receiver));
            let reading = Reading { node, waiting, clients: clients.clone(), progress };
            tokio::spawn(read_all(reader, key, reading));
            Some(sender)
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(clients.clone().accept(listener));
    Ok(Bare { sender, read, clients, port })
}

async fn append(
    mut connection: MultiplexedConnection,
    key: String,
    node: u32,
    waiting: Waiting,
    mut receiver: mpsc::Receiver<ToAppend>,
) -> redis::RedisResult<()> {
    let mut batch = Vec::with_capacity(BATCH);
    while receiver.recv_many(&mut batch, BATCH).await > 0 {
        let mut commands = pipe();
        commands.atomic();
        for ToAppend { mut body, arrived } in batch.drain(..) {
            lock(&waiting).push_back(arrived);
            body.extend(node.to_be_bytes());
            commands.cmd("XADD").arg(&key).arg("NOMKSTREAM");
            commands.arg("MAXLEN").arg("~").arg(KEPT).arg("1-*").arg("m").arg(body);
        }
        commands.query_async::<Vec<Option<String>>>(&mut connection).await?;
    }
    Ok(())
}

/// What becomes of what is read.
struct Reading {
    node: u32,
    waiting: Waiting,
    clients: Clients,
    progress: watch::Sender<u64>,
}

async fn read_all(
    mut connection: MultiplexedConnection,
    key: String,
    reading: Reading,
) -> redis::RedisResult<()> {
    let Reading { node, waiting, clients, progress } = reading;
    let mut last = "1-1".to_owned();
    loop {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(READ_AT_ONCE).arg("BLOCK").arg(1_000);
        read.arg("STREAMS").arg(&key).arg(&last);
        let answer = read.query_async::<Value>(&mut connection).await?;
        let mut count = 0;
        for (id, body) in entries(&answer) {
            last.clear();
            last.push_str(id);
            let Some((body, of)) = body.split_last_chunk() else { continue };
            clients.write(body);
            if u32::from_be_bytes(*of) == node {
                let _ = lock(&waiting).pop_front().flatten().map(|arrived| arrived.send(()));
            }
            count += 1;
        }
        progress.send_modify(|read| *read += count);
    }
}

/// Returns the entries in an answer of one stream.
fn entries(answer: &Value) -> impl Iterator<Item = (&str, &[u8])> {
    let entries = match answer {
        Value::Array(streams) => match &streams[..] {
            [Value::Array(stream)] => match &stream[..] {
                [_, Value::Array(entries)] => &entries[..],
                _ => &[],
            },
            _ => &[],
        },
        _ => &[],
    };
    entries.iter().filter_map(|entry| {
        let Value::Array(entry) = entry else { return None };
        let [Value::BulkString(id), Value::Array(fields)] = &entry[..] else { return None };
        let [_, Value::BulkString(body)] = &fields[..] else { return None };
        Some((std::str::from_utf8(id).ok()?, &body[..]))
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Clients {
    /// Answers whatever handshake comes.
    async fn accept(self, listener: TcpListener) -> io::Result<()> {
        loop {
            let (mut stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                request.push(stream.read_u8().await?);
            }
            stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").await?;
            lock(&self.0).push(stream);
        }
    }

    /// Writes a text frame of 126 to 65,535 bytes to each; whoever doesn't take it misses it.
    fn write(&self, body: &[u8]) {
        let clients = lock(&self.0);
        if clients.is_empty() {
            return;
        }
        let mut frame = vec![0x81, 126];
        frame.extend((body.len() as u16).to_be_bytes());
        frame.extend(body);
        for client in &*clients {
            let _ = client.try_write(&frame);
        }
    }
}

impl Relay for Bare {
    fn ports(&self) -> [u16; 2] {
        [self.port, 0]
    }

    async fn put(&self, text: String) -> io::Result<()> {
        let body = quoted(text);
        match &self.sender {
            Some(sender) => {
                sender.send(ToAppend { body, arrived: None }).await.map_err(io::Error::other)
            }
            None => {
                self.clients.write(&body);
                Ok(())
            }
        }
    }

    async fn send(&self, text: String) -> Result<(), Unsent> {
        let (arrived, has_arrived) = oneshot::channel();
        let body = quoted(text);
        let Some(sender) = &self.sender else { return Err(Unsent::Never) };
        let sent = sender.send(ToAppend { body, arrived: Some(arrived) }).await;
        sent.map_err(|_| Unsent::Never)?;
        has_arrived.await.map_err(|_| Unsent::Unknown)
    }

    async fn settle(&self, messages: u64) -> io::Result<()> {
        if self.sender.is_some() {
            let mut read = self.read.clone();
            read.wait_for(|read| *read >= messages).await.map_err(io::Error::other)?;
        }
        Ok(())
    }
}

/// Returns a text as JSON.
pub(super) fn quoted(text: String) -> Vec<u8> {
    serde_json::to_vec(&text).expect("a text has a form in JSON")
}
