//! What Redis is asked while very many clients come back to another node than theirs.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::frames::handshake;
use crate::processes::{CpuTime, Node, Program, Redis, ask_all};
use crate::stamp::BYTES;

/// What each client has missed.
const MISSED: usize = 100;

/// Of a message, on the wire.
const FRAME_BYTES: usize = 4 + BYTES;

/// How many connect at once.
const AT_ONCE: usize = 100;

pub(crate) fn measure(is_quick: bool) -> io::Result<()> {
    let (clients, window) = if is_quick { (100, 2) } else { (10_000, 20) };
    let redis = Redis::start(false)?;
    let mut nodes = Program::own("pode-kept")?.start(&redis, "storm", 2)?;
    println!("\nclients that come back to another node, and commands of Redis in {window} s");
    for clients in [0, clients, 0, clients] {
        storm(&redis, &mut nodes, clients, Duration::from_secs(window))?;
    }
    Ok(())
}

fn storm(redis: &Redis, nodes: &mut [Node], clients: usize, window: Duration) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let connected = runtime.block_on(connect_all(nodes[0].port, clients, String::new(), 0))?;
    nodes[0].ask("position")?;
    let position = nodes[0].answer()?;
    for stream in connected {
        // By a reset, which leaves nothing behind.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
    }
    ask_all(&mut nodes[..1], &format!("publish {MISSED} 1000"))?;
    ask_all(&mut *nodes, "settle 0")?;

    let calls = redis.calls()?;
    let (start, time) = (Instant::now(), CpuTime::of_process(nodes[1].id())?);
    let query = format!("?resume={position}");
    let back =
        runtime.block_on(connect_all(nodes[1].port, clients, query, MISSED * FRAME_BYTES))?;
    let took = start.elapsed();
    let time = CpuTime::of_process(nodes[1].id())?.since(time);
    thread::sleep(window.saturating_sub(took));
    let before: BTreeMap<_, _> = calls.into_iter().collect();
    let told: Vec<_> = redis
        .calls()?
        .into_iter()
        .map(|(command, calls)| (calls - before.get(&command).copied().unwrap_or(0), command))
        // How this asks.
        .filter(|(calls, command)| {
            *calls > 0 && command != "info" && !command.starts_with("client")
        })
        .map(|(calls, command)| format!("{calls} {command}"))
        .collect();
    println!(
        "{:>6} clients, back in {:>5.2} s, {:>5.1} us each: {}",
        back.len(),
        took.as_secs_f64(),
        time.ran_ns as f64 / 1e3 / clients.max(1) as f64,
        told.join(", ")
    );
    Ok(())
}

/// Connects, and has each client read so many bytes of messages.
async fn connect_all(
    port: u16,
    clients: usize,
    query: String,
    bytes: usize,
) -> io::Result<Vec<TcpStream>> {
    let (turns, request) = (Arc::new(Semaphore::new(AT_ONCE)), handshake(port, &query, None));
    let request: Arc<str> = request.into();
    let mut connecting = JoinSet::new();
    for _ in 0..clients {
        let (turns, request) = (Arc::clone(&turns), Arc::clone(&request));
        connecting.spawn(async move {
            let turn = turns.acquire().await.map_err(io::Error::other)?;
            let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.write_all(request.as_bytes()).await?;
            let (mut read, mut head) = (Vec::new(), None);
            while head.is_none_or(|head| read.len() < head + bytes) {
                if stream.read_buf(&mut read).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                let end = || read.windows(4).position(|window| window == b"\r\n\r\n");
                head = head.or_else(|| end().map(|end| end + 4));
            }
            drop(turn);
            Ok(stream)
        });
    }
    let connected = connecting.join_all().await;
    connected.into_iter().collect()
}
