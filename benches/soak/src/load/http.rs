//! Requests over a kept-alive connection.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug)]
pub(crate) struct Http {
    port: u16,
    /// Absent until a request is made, and after one that failed.
    stream: Option<BufStream<TcpStream>>,
}

impl Http {
    pub(crate) fn new(port: u16) -> Http {
        Http { port, stream: None }
    }

    /// Requests a path; returns the status.
    ///
    /// # Errors
    ///
    /// There is no answer. It is not known whether the server took the request.
    pub(crate) async fn get(&mut self, path: &str) -> io::Result<u16> {
        self.ask(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).await
    }

    /// Posts JSON; returns the status.
    ///
    /// # Errors
    ///
    /// As for [`get`](Self::get).
    pub(crate) async fn post(&mut self, path: &str, json: &str) -> io::Result<u16> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            json.len()
        );
        self.ask(head + json).await
    }

    async fn ask(&mut self, request: String) -> io::Result<u16> {
        // Put back only after success.
        let stream = self.stream.take();
        let port = self.port;
        let asked = timeout(ANSWER_TIMEOUT, async {
            let mut stream = match stream {
                Some(stream) => stream,
                None => BufStream::new(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?),
            };
            stream.write_all(request.as_bytes()).await?;
            stream.flush().await?;
            let (status, keeps) = answer(&mut stream).await?;
            Ok::<_, io::Error>((status, keeps.then_some(stream)))
        });
        let (status, stream) = asked.await??;
        self.stream = stream;
        Ok(status)
    }
}

/// Reads an answer: its status, and whether the connection is kept.
async fn answer(stream: &mut BufStream<TcpStream>) -> io::Result<(u16, bool)> {
    let (mut status, mut length, mut keeps) = (None, 0, true);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if status.is_none() {
            status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        } else if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.parse().map_err(io::Error::other)?;
        } else if line == "connection: close" {
            keeps = false;
        }
    }
    stream.read_exact(&mut vec![0; length]).await?;
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, keeps))
}
