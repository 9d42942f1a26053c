//! A proxy before a Redis, which loses connections as a network does.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How late a read is that is.
const LATE: Duration = Duration::from_secs(1);

/// Passes on what comes, to the Redis at this socket; until it is dropped.
#[derive(Debug)]
pub(crate) struct Proxy {
    pub(crate) port: u16,
    control: Arc<Control>,
    _task: JoinSet<()>,
}

#[derive(Debug)]
struct Control {
    socket: watch::Sender<PathBuf>,
    /// How often all connections were cut.
    cuts: watch::Sender<u64>,
    is_frozen: watch::Sender<bool>,
    /// How many more bytes go in each direction before their connection is cut; 0 if that
    /// isn't to be.
    request: AtomicUsize,
    reply: AtomicUsize,
    /// Whether all connections are cut behind the next append, before its answer.
    append: AtomicBool,
    /// Whether the next read is late.
    late_read: AtomicBool,
}

impl Proxy {
    /// # Errors
    ///
    /// There is no free port.
    pub(crate) async fn start(socket: PathBuf) -> io::Result<Proxy> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let control = Arc::new(Control {
            socket: watch::Sender::new(socket),
            cuts: watch::Sender::default(),
            is_frozen: watch::Sender::default(),
            request: AtomicUsize::default(),
            reply: AtomicUsize::default(),
            append: AtomicBool::default(),
            late_read: AtomicBool::default(),
        });
        let mut task = JoinSet::new();
        let its = Arc::clone(&control);
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let control = Arc::clone(&its);
                connections.spawn(async move {
                    let mut cuts = control.cuts.subscribe();
                    let socket = control.socket.borrow().clone();
                    let Ok(server) = UnixStream::connect(socket).await else { return };
                    let _ = client.set_nodelay(true);
                    let (from_client, to_client) = client.into_split();
                    let (from_server, to_server) = server.into_split();
                    tokio::select! {
                        _ = pass(from_client, to_server, &control, &control.request) => {}
                        _ = pass(from_server, to_client, &control, &control.reply) => {}
                        _ = cuts.changed() => {}
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Ok(Proxy { port, control, _task: task })
    }

    /// Cuts all connections; later ones go to this Redis.
    pub(crate) fn point_to(&self, socket: PathBuf) {
        self.control.socket.send_replace(socket);
        self.cut();
    }

    pub(crate) fn cut(&self) {
        self.control.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Cuts a connection behind so many more bytes of the client.
    pub(crate) fn cut_request(&self, bytes: usize) {
        self.control.request.store(bytes, Ordering::Relaxed);
    }

    /// Cuts a connection behind so many more bytes of Redis.
    pub(crate) fn cut_reply(&self, bytes: usize) {
        self.control.reply.store(bytes, Ordering::Relaxed);
    }

    /// Cuts all connections when the next append is with Redis, and its answer isn't here.
    /// What is there then is read late: after the node has connected again.
    pub(crate) fn cut_append(&self) {
        self.control.append.store(true, Ordering::Relaxed);
    }

    /// Passes nothing on, or all again.
    pub(crate) fn freeze(&self, is_frozen: bool) {
        self.control.is_frozen.send_replace(is_frozen);
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    control: &Control,
    before_cut: &AtomicUsize,
) -> io::Result<()> {
    let mut is_frozen = control.is_frozen.subscribe();
    let mut buffer = vec![0; 16 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        // The sender lives as long as the proxy.
        let _ = is_frozen.wait_for(|is_frozen| !is_frozen).await;
        let has = |word: &[u8]| buffer[..length].windows(word.len()).any(|it| it == word);
        if has(b"XREAD") && control.late_read.swap(false, Ordering::Relaxed) {
            sleep(LATE).await;
        }
        let is_cut = has(b"XADD") && control.append.swap(false, Ordering::Relaxed);
        match before_cut.swap(0, Ordering::Relaxed) {
            _ if is_cut => {
                to.write_all(&buffer[..length]).await?;
                control.late_read.store(true, Ordering::Relaxed);
                control.cuts.send_modify(|cuts| *cuts += 1);
            }
            0 => to.write_all(&buffer[..length]).await?,
            bytes if bytes <= length => return to.write_all(&buffer[..bytes]).await,
            bytes => {
                before_cut.store(bytes - length, Ordering::Relaxed);
                to.write_all(&buffer[..length]).await?;
            }
        }
    }
}
