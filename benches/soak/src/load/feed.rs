//! The other end of the server's upstream: a WebSocket that sends numbers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::interval;
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::protocol::Message;

/// How often it sends a number.
const INTERVAL: Duration = Duration::from_millis(100);

/// Ends when it is dropped.
pub(super) struct Feed {
    pub(super) port: u16,
    connections: watch::Receiver<u64>,
    nonsense: Arc<watch::Sender<()>>,
    task: AbortHandle,
}

impl Feed {
    /// Starts listening.
    ///
    /// # Errors
    ///
    /// No port is free.
    pub(super) async fn start() -> io::Result<Feed> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (count, connections) = watch::channel(0);
        let nonsense = Arc::new(watch::Sender::new(()));
        let said = Arc::clone(&nonsense);
        let task = tokio::spawn(async move {
            // They end with this task; there may be two during a hand-over.
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                served.spawn(serve(stream, said.subscribe()));
                count.send_modify(|count| *count += 1);
                while served.try_join_next().is_some() {}
            }
        });
        Ok(Feed { port, connections, nonsense, task: task.abort_handle() })
    }

    /// Waits until a server has connected.
    pub(super) async fn connected(&self) {
        // An error means that none will: then the missing messages show it.
        let _ = self.connections.clone().wait_for(|count| *count > 0).await;
    }

    /// Sends a message that the server has to skip.
    pub(super) fn say_nonsense(&self) {
        self.nonsense.send_replace(());
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Sends numbers until the other side closes.
async fn serve(stream: TcpStream, mut nonsense: watch::Receiver<()>) {
    let Ok(mut socket) = accept_async(stream).await else { return };
    let mut pace = interval(INTERVAL);
    let mut number = 0_u64;
    loop {
        let message = tokio::select! {
            _ = pace.tick() => {
                number += 1;
                Message::text(number.to_string())
            }
            // Not a text in UTF-8.
            Ok(()) = nonsense.changed() => Message::binary(vec![0xff]),
            heard = socket.next() => match heard {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        if socket.send(message).await.is_err() {
            return;
        }
    }
}
