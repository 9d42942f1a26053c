//! A client that reconnects when the server restarts, as the script of a page
//! does.

use std::net::SocketAddr;

use tokio_tungstenite::tungstenite::Message;

use crate::support::Client;

pub(super) struct Returning {
    address: SocketAddr,
    path: String,
    /// Absent while it is disconnected.
    client: Option<Client>,
    /// Its position when it was disconnected.
    position: String,
}

impl Returning {
    pub(super) async fn connect(address: SocketAddr, path: &str) -> Returning {
        let client = Client::connect_at(address, path).await.unwrap();
        let (path, position) = (path.to_owned(), String::new());
        Returning { address, path, client: Some(client), position }
    }

    /// Waits for the next text.
    pub(super) async fn text(&mut self) -> String {
        self.client.as_mut().unwrap().text().await
    }

    /// Waits for the next text; reconnects if it is disconnected meanwhile.
    pub(super) async fn text_wherever(&mut self) -> String {
        loop {
            match self.client.as_mut().unwrap().message().await {
                Message::Text(text) => return text.to_string(),
                Message::Close(Some(close)) => {
                    assert_eq!(u16::from(close.code), 1012, "{}", close.reason);
                    self.leave(&close.reason);
                    self.come_back().await.unwrap();
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until it is disconnected, and returns its position.
    pub(super) async fn goodbye(&mut self) -> String {
        match self.client.as_mut().unwrap().message().await {
            Message::Close(Some(close)) => self.leave(&close.reason),
            other => panic!("{other:?}"),
        }
        self.position.clone()
    }

    fn leave(&mut self, reason: &str) {
        let position = reason.strip_prefix("restarting; resume=");
        self.position = position.unwrap_or_else(|| panic!("{reason:?}")).to_owned();
        let mut client = self.client.take().unwrap();
        tokio::spawn(async move { client.hear_end().await });
    }

    /// Connects again; the error is the status of a refusal.
    pub(super) async fn come_back(&mut self) -> Result<(), u16> {
        let sign = if self.path.contains('?') { '&' } else { '?' };
        let path = format!("{}{sign}resume={}", self.path, self.position);
        self.client = Some(Client::connect_at(self.address, &path).await?);
        Ok(())
    }
}
