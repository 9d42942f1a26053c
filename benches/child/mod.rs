//! A process that a benchmark starts: how it is a server, and what its parent asks of it and
//! of the system.

use std::fs;
use std::io::{self, Read, Write};

use pode::{Protocol, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

/// Serves until the standard input ends, or another process has taken over. First it prints
/// `listening` and the port of each of these protocols.
///
/// # Errors
///
/// The server doesn't start, or can't go on.
pub(crate) fn serve(server: Server, workers: usize, protocols: [Protocol; 2]) -> io::Result<()> {
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    runtime.block_on(async {
        let running = server.start().await.map_err(io::Error::other)?;
        let mut line = "listening".to_owned();
        for protocol in protocols {
            let address = running.address(protocol).ok_or(io::ErrorKind::AddrNotAvailable)?;
            line += &format!(" {}", address.port());
        }
        let mut output = io::stdout();
        writeln!(output, "{line}")?;
        output.flush()?;
        let input = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
        tokio::select! {
            read = input => drop(read.map_err(io::Error::other)??),
            () = running.handed_over() => {}
            error = running.failed() => return Err(io::Error::other(error)),
        }
        running.stop().await;
        Ok::<_, io::Error>(())
    })?;
    // The task that reads the input may still wait for its end.
    runtime.shutdown_background();
    Ok(())
}

/// Makes a request over a new connection; returns the status and the body of the answer.
///
/// # Errors
///
/// There is no answer.
pub(crate) async fn request(
    port: u16,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    status.zip(body).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// Returns the bytes of memory that a process has written to and not given back.
///
/// # Errors
///
/// It has ended, or the system doesn't tell.
pub(crate) fn anonymous_bytes(id: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status"))?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kibibytes = kibibytes.and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    Ok(kibibytes.ok_or(io::ErrorKind::Unsupported)? * 1024)
}
