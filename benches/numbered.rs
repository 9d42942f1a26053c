//! What it costs to handle a client's message once, and to tell the client so.
//!
//! A server has its own thread, with one runtime in it. This thread sends messages of
//! clients, by which each of `pode.v1` numbers its messages or doesn't, and reads what
//! comes back. The processor time of the server's thread is divided by the number of
//! messages.

use std::future::pending;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use pode::Protocol;
use pode::prelude::*;
use tokio::runtime::{Builder, Handle};

mod measure;

pode_server! {
    server counter;
    endpoint ws "127.0.0.1:0";
    signal COUNT: u64 -> u64 = "/count" { history_messages: 100, messages_per_second: 0 } => async |_, _: u64| {};
    signal REPLY: u64 -> u64 = "/reply" { history_messages: 100, messages_per_second: 0 } => async |event: SignalEvent<u64>, number: u64| {
        event.reply(&number).await
    };
    signal TALK:  u64 -> u64 = "/talk" { history_messages: 100, messages_per_second: 0 } => async |event: SignalEvent<u64>, number: u64| {
        event.send(TALK, &number).await
    };
}

const ROUNDS: usize = 41;
const TURN: Duration = Duration::from_millis(150);
/// An answer that takes longer ends the benchmark.
const TIMEOUT: Duration = Duration::from_secs(10);
/// All clients together send so many in a second.
const MESSAGES_PER_SECOND: u32 = 10_000;
const CLIENTS: u32 = 20;

/// How clients send: so many messages at once.
const LOADS: [(&str, &str, u32); 4] = [
    ("counted, one by one", "/count", 1),
    ("replied to, one by one", "/reply", 1),
    ("replied to, ten at once", "/reply", 10),
    ("sent to twenty clients, one by one", "/talk", 1),
];

fn main() -> io::Result<()> {
    let (rounds, turn) = if measure::is_measuring() { (ROUNDS, TURN) } else { (1, TURN / 10) };
    for (name, path, at_once) in LOADS {
        let (address, runtime) = start()?;
        let mut kinds = [false, true].map(|has_numbers| {
            let clients = (0..CLIENTS).map(|_| Client::connect(address, path, has_numbers));
            clients.collect::<io::Result<Vec<_>>>().expect("the server takes clients")
        });
        let mut measured = Vec::new();
        for round in 0..rounds {
            let mut spent = [0.0; 2];
            for place in 0..2 {
                let which = (round + place) % 2;
                spent[which] = say_for(&mut kinds[which], at_once, turn, &runtime)?;
            }
            measured.push(spent);
        }
        for (which, kind) in ["without numbers", "with numbers"].iter().enumerate() {
            let title = format!("{name}, {kind}");
            measure::tell(&title, "us", measured.iter().map(|spent| spent[which]));
        }
        measure::tell("with / without", "", measured.iter().map(|spent| spent[1] / spent[0]));
    }
    Ok(())
}

fn start() -> io::Result<(SocketAddr, Handle)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        runtime.block_on(async {
            let running = counter().start().await.expect("the server starts");
            let address = running.address(Protocol::Ws).expect("it has such an endpoint");
            tell.send(address).expect("somebody waits for the address");
            pending::<()>().await;
        });
    });
    Ok((told.recv().map_err(io::Error::other)?, handle))
}

/// Has clients send at the pace for this time; returns the server's microseconds for a
/// message.
fn say_for(
    clients: &mut [Client],
    at_once: u32,
    time: Duration,
    runtime: &Handle,
) -> io::Result<f64> {
    let spent = || {
        let (tell, told) = mpsc::channel();
        runtime.spawn(async move { tell.send(measure::time_of_this_thread()) });
        told.recv().expect("the server runs as long as the benchmark")
    };
    let before = spent();
    let start = Instant::now();
    let mut said = 0;
    while start.elapsed() < time {
        for client in &mut *clients {
            client.say(at_once)?;
            said += at_once;
            let due = Duration::from_secs(1) * said / MESSAGES_PER_SECOND;
            thread::sleep(due.saturating_sub(start.elapsed()));
        }
        for client in &mut *clients {
            client.read_what_came()?;
        }
    }
    // So that all is handled.
    for client in &mut *clients {
        client.ask()?;
    }
    Ok((spent() - before).as_secs_f64() * 1e6 / f64::from(said))
}

struct Client {
    stream: TcpStream,
    has_numbers: bool,
    number: u64,
}

impl Client {
    fn connect(address: SocketAddr, path: &str, has_numbers: bool) -> io::Result<Client> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: pode.v1\r\n\r\n"
        )?;
        let mut client = Client { stream, has_numbers, number: 0 };
        client.read_until(b"\"live\":")?;
        Ok(client)
    }

    fn say(&mut self, at_once: u32) -> io::Result<()> {
        let mut frames = Vec::new();
        for _ in 0..at_once {
            self.number += 1;
            let number = self.number;
            let text = match self.has_numbers {
                true => format!(r#"{{"n":{number},"data":{number}}}"#),
                // As long.
                false => format!(
                    r#"{{      "data":{number:<width$}}}"#,
                    width = number.to_string().len() * 2 - 1
                ),
            };
            let length = u8::try_from(text.len()).expect("it is short");
            // Masked by zeros.
            frames.extend([0x81, 0x80 | length, 0, 0, 0, 0]);
            frames.extend(text.bytes());
        }
        self.stream.write_all(&frames)
    }

    fn read_what_came(&mut self) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let mut bytes = [0; 64 << 10];
        while self.stream.read(&mut bytes).is_ok_and(|read| read > 0) {}
        self.stream.set_nonblocking(false)
    }

    /// Pings the server, and reads up to the answer.
    fn ask(&mut self) -> io::Result<()> {
        self.stream.write_all(&[0x89, 0x84, 0, 0, 0, 0, b'd', b'o', b'n', b'e'])?;
        self.read_until(b"done")
    }

    fn read_until(&mut self, end: &[u8]) -> io::Result<()> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 64 << 10];
        while !bytes.windows(end.len()).any(|window| window == end) {
            match self.stream.read(&mut buffer)? {
                0 => return Err(io::Error::other("the server has ended the connection")),
                read => bytes.extend_from_slice(&buffer[..read]),
            }
        }
        Ok(())
    }
}
