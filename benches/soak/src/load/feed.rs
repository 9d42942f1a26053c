//! What the server's upstream is connected to: a WebSocket that counts.

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

/// How often it says a number.
const INTERVAL: Duration = Duration::from_millis(100);

/// Ends when it is dropped.
pub(super) struct Feed {
    pub(super) port: u16,
    connections: watch::Receiver<u64>,
    nonsense: Arc<watch::Sender<()>>,
    task: AbortHandle,
}

impl Feed {
    /// Listens from now on.
    ///
    /// # Errors
    ///
    /// There is no port.
    pub(super) async fn start() -> io::Result<Feed> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (count, connections) = watch::channel(0);
        let nonsense = Arc::new(watch::Sender::new(()));
        let said = Arc::clone(&nonsense);
        let task = tokio::spawn(async move {
            // Those end with it; two may be there while one process takes over.
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                served.spawn(serve(stream, said.subscribe()));
                count.send_modify(|count| *count += 1);
                while served.try_join_next().is_some() {}
            }
        });
        Ok(Feed { port, connections, nonsense, task: task.abort_handle() })
    }

    /// Waits until anybody has connected.
    pub(super) async fn connected(&self) {
        // An error says that nobody will: then it is seen by what is missing.
        let _ = self.connections.clone().wait_for(|count| *count > 0).await;
    }

    /// Says what the server has to skip.
    pub(super) fn say_nonsense(&self) {
        self.nonsense.send_replace(());
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Counts until the other side goes.
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
            // No text in UTF-8.
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
