//! How many requests a server answers in a second, over sockets, at the first
//! and at the last of two hundred routes.
//!
//! A server of pode and one of axum with the same paths each have their own
//! thread, with one runtime in it. This thread sends requests to them in turn,
//! over kept-alive connections: it reads an answer from one, sends the next
//! request there, and goes on to the next connection, so that all others always
//! wait for the server. The processor time of a server's thread is divided by
//! the number of its answers.

use std::future::pending;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use axum::serve::ListenerExt;
use pode::Protocol;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle};

use two_hundred::{FIRST, LAST, axum_router, two_hundred};

mod measure;
mod two_hundred;

/// With `TURN`, this makes some thirty seconds.
const ROUNDS: usize = 41;
const TURN: Duration = Duration::from_millis(150);

const CONNECTIONS: usize = 32;
/// An answer that takes longer ends the benchmark.
const TIMEOUT: Duration = Duration::from_secs(10);

fn main() -> io::Result<()> {
    let (rounds, turn) = if measure::is_measuring() { (ROUNDS, TURN) } else { (1, TURN / 10) };
    let pode = Server::start(start_pode)?;
    let axum = Server::start(start_axum)?;
    let mut targets = [
        Target::connect(&pode, FIRST)?,
        Target::connect(&pode, LAST)?,
        Target::connect(&axum, FIRST)?,
        Target::connect(&axum, LAST)?,
    ];

    let mut measured = Vec::new();
    for round in 0..rounds {
        let mut answered = [Answered::default(); 4];
        for place in 0..targets.len() {
            let which = (round + place) % targets.len();
            answered[which] = targets[which].ask_for(turn)?;
        }
        measured.push(answered);
    }

    tell("requests/s", "", &measured, Answered::per_second);
    tell("processor", "us", &measured, Answered::server_us);
    let shares = measured.iter().flatten().map(Answered::client_share);
    measure::tell("client, busy share of its time", "", shares);
    Ok(())
}

/// Prints a figure of the first and the last route of each server, and ratios.
fn tell(figure: &str, unit: &str, rounds: &[[Answered; 4]], of: fn(&Answered) -> f64) {
    let titles = ["pode: first", "pode: last", "axum: first", "axum: last"];
    for (which, title) in titles.iter().enumerate() {
        let title = format!("{figure}, {title}");
        measure::tell(&title, unit, rounds.iter().map(|round| of(&round[which])));
    }
    let ratios = [
        ("pode: last / first", 1, 0),
        ("axum: last / first", 3, 2),
        ("first: pode / axum", 0, 2),
        ("last: pode / axum", 1, 3),
    ];
    for (title, one, other) in ratios {
        let title = format!("{figure}, {title}");
        measure::tell(&title, "", rounds.iter().map(|round| of(&round[one]) / of(&round[other])));
    }
}

/// A server that runs in its own thread until the benchmark ends.
struct Server {
    address: SocketAddr,
    /// Runs tasks in the server's thread.
    runtime: Handle,
}

impl Server {
    /// Starts a server that returns its address, and continues in tasks.
    fn start(start: impl AsyncFnOnce() -> SocketAddr + Send + 'static) -> io::Result<Server> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            runtime.block_on(async {
                tell.send(start().await).expect("somebody waits for the address");
                pending::<()>().await;
            });
        });
        let address = told.recv().map_err(io::Error::other)?;
        Ok(Server { address, runtime: handle })
    }

    /// Returns the processor time of the server's thread since it began.
    fn time(&self) -> Duration {
        let (tell, told) = mpsc::channel();
        self.runtime.spawn(async move { tell.send(measure::time_of_this_thread()) });
        told.recv().expect("the server runs as long as the benchmark")
    }
}

async fn start_pode() -> SocketAddr {
    let running = two_hundred().start().await.expect("the server starts");
    let address = running.address(Protocol::Http).expect("the server has such an endpoint");
    // Dropping it would stop the server.
    std::mem::forget(running);
    address
}

async fn start_axum() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    // As pode does.
    let listener = listener.tap_io(|stream| {
        stream.set_nodelay(true).expect("the option can be set");
    });
    tokio::spawn(axum::serve(listener, axum_router()).into_future());
    address
}

/// A route of a server, and the connections over which it is requested.
struct Target<'server> {
    server: &'server Server,
    request: String,
    connections: Vec<TcpStream>,
}

/// The result of sending requests for a while.
#[derive(Clone, Copy, Default)]
struct Answered {
    requests: u32,
    took: Duration,
    /// The processor time of the server's thread.
    server: Duration,
    /// The processor time of this thread.
    client: Duration,
}

impl Target<'_> {
    fn connect<'server>(server: &'server Server, path: &str) -> io::Result<Target<'server>> {
        let connect = |_| {
            let stream = TcpStream::connect(server.address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            Ok(stream)
        };
        let connections = (0..CONNECTIONS).map(connect).collect::<io::Result<_>>()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        Ok(Target { server, request, connections })
    }

    /// Sends as many requests as the server answers within this time.
    fn ask_for(&mut self, time: Duration) -> io::Result<Answered> {
        let server = self.server.time();
        let client = measure::time_of_this_thread();
        let start = Instant::now();
        let mut requests = 0;
        for connection in &mut self.connections {
            connection.write_all(self.request.as_bytes())?;
        }
        while start.elapsed() < time {
            for connection in &mut self.connections {
                read_answer(connection)?;
                connection.write_all(self.request.as_bytes())?;
                requests += 1;
            }
        }
        for connection in &mut self.connections {
            read_answer(connection)?;
            requests += 1;
        }
        Ok(Answered {
            requests,
            took: start.elapsed(),
            server: self.server.time() - server,
            client: measure::time_of_this_thread() - client,
        })
    }
}

/// Reads an answer to its end; the body is known.
fn read_answer(connection: &mut TcpStream) -> io::Result<()> {
    let mut answer = [0; 1024];
    let mut length = 0;
    while !answer[..length].ends_with(b"\r\n\r\n7") {
        match connection.read(&mut answer[length..])? {
            0 => return Err(io::Error::other("this is not the answer of the route")),
            read => length += read,
        }
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    Ok(())
}

impl Answered {
    fn per_second(&self) -> f64 {
        f64::from(self.requests) / self.took.as_secs_f64()
    }

    fn server_us(&self) -> f64 {
        self.server.as_secs_f64() * 1e6 / f64::from(self.requests)
    }

    /// Near 1, requests per second measure the client instead of the server.
    fn client_share(&self) -> f64 {
        self.client.as_secs_f64() / self.took.as_secs_f64()
    }
}
