//! The server programs, each of which speaks the
//! [protocol](crate::protocol).

mod axum;
mod floor;
pub mod nginx;
mod pode;
mod tls;
mod warp;

use std::io::{self, BufRead};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use tokio::runtime::Builder;

use self::floor::Mode;
use crate::process::raise_descriptor_limit;
use crate::protocol::{Publish, monotonic_ns, text};

/// The names of the server programs.
pub const NAMES: [&str; 10] = [
    "floor",
    "floor-cork",
    "floor-history",
    "pode",
    "pode-history",
    "pode-v1",
    "pode-room",
    "pode-group",
    "warp-by-hand",
    "axum",
];

/// Runs a server program until its standard input ends; behind TLS, if there is
/// a folder with a certificate.
///
/// # Errors
///
/// There is no server of this name, or the system refuses something.
pub fn serve(name: &str, paths: usize, certificate: Option<&Path>) -> io::Result<()> {
    raise_descriptor_limit()?;
    match name {
        "floor" => floor::serve(paths, certificate, Mode::Plain),
        "floor-cork" => floor::serve(paths, certificate, Mode::Cork),
        "floor-history" if paths == 1 => floor::serve(paths, certificate, Mode::History),
        "floor-history" => Err(io::Error::other("the floor keeps the messages of one path")),
        "pode" => on_tokio(paths, pode::start(paths, certificate.is_some())),
        "pode-history" if certificate.is_none() => on_tokio(paths, pode::start_with_history(paths)),
        "pode-history" => Err(io::Error::other("the history isn't behind TLS")),
        "pode-v1" if certificate.is_none() => on_tokio(paths, pode::start_for_v1(paths)),
        "pode-v1" => Err(io::Error::other("the server of `pode.v1` isn't behind TLS")),
        "pode-room" if certificate.is_none() => on_tokio(paths, pode::start_with_rooms()),
        "pode-room" => Err(io::Error::other("the rooms aren't behind TLS")),
        "pode-group" if paths == 1 && certificate.is_none() => {
            on_tokio(paths, pode::start_in_a_group())
        }
        "pode-group" => Err(io::Error::other("a group is of one path, and not behind TLS")),
        "warp-by-hand" if certificate.is_none() => on_tokio(paths, warp::start(paths)),
        "warp-by-hand" => Err(io::Error::other("warp has no TLS of its own")),
        "axum" => on_tokio(paths, axum::start(paths, certificate)),
        _ => Err(io::Error::other(format!("`{name}` is none of {}", NAMES.join(", ")))),
    }
}

/// Listens on a free port. Accepted connections inherit `TCP_NODELAY`: no data is
/// held back to be sent together with later data.
fn listen() -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    socket.listen(4096)?;
    Ok(socket.into())
}

/// A running server on tokio, as its publisher sees it.
trait Publisher: Clone + Send + Sync + 'static {
    /// Returns the id of the process that serves.
    fn process(&self) -> u32 {
        std::process::id()
    }

    /// Returns what its clients speak, as the protocol writes it.
    fn dialect(&self) -> Option<&'static str> {
        None
    }

    /// Publishes a text, as JSON, to all clients of a path.
    fn publish(&self, path: usize, text: String) -> impl Future<Output = io::Result<()>> + Send;

    /// Returns the query with which a client that has everything so far comes back,
    /// if there is a single path and what is published there is kept.
    fn position(&self) -> Option<String> {
        None
    }
}

/// Starts a server on a runtime with a thread for each core, and publishes in a
/// separate task, as handlers do.
fn on_tokio<P: Publisher>(
    paths: usize,
    start: impl Future<Output = io::Result<(u16, P)>>,
) -> io::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let (port, publisher) = runtime.block_on(start)?;
    match publisher.dialect() {
        Some(dialect) => println!("listening {port} {} {dialect}", publisher.process()),
        None => println!("listening {port} {}", publisher.process()),
    }
    for line in io::stdin().lock().lines() {
        let publish = Publish::parse(&line?)?;
        let publishing = publish_all(publisher.clone(), publish, paths);
        let published = runtime.block_on(runtime.spawn(publishing)).map_err(io::Error::other)??;
        match publisher.position() {
            Some(position) => println!("done {published} {position}"),
            None => println!("done {published}"),
        }
    }
    runtime.shutdown_background();
    Ok(())
}

async fn publish_all<P: Publisher>(
    publisher: P,
    publish: Publish,
    paths: usize,
) -> io::Result<u64> {
    let start = monotonic_ns();
    for message in 0..publish.messages {
        let mut now = monotonic_ns() - start;
        while now < publish.due(message) {
            tokio::time::sleep(Duration::from_nanos(publish.due(message) - now)).await;
            now = monotonic_ns() - start;
        }
        if now > publish.deadline() {
            return Ok(message);
        }
        let text = text(message / paths as u64, publish.payload_bytes);
        publisher.publish(message as usize % paths, text).await?;
    }
    Ok(publish.messages)
}
