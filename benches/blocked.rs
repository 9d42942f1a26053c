//! How long a request waits while a handler blocks one of four workers, and what
//! it costs to notice that.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use pode::Protocol;
use pode::prelude::*;
use tokio::runtime::Builder;

mod measure;

pode_server! {
    server blocking;
    endpoint http 0;
    route GET "/" => async |_| text("here");
    route GET "/block" => async |_| {
        thread::sleep(BLOCKED);
        text("done")
    };
}

const WORKERS: usize = 4;
const BLOCKED: Duration = Duration::from_millis(300);
const ROUNDS: usize = 30;
const IDLE: Duration = Duration::from_secs(5);

fn main() -> io::Result<()> {
    let (rounds, idle) = if measure::is_measuring() { (ROUNDS, IDLE) } else { (1, IDLE / 100) };
    let runtime = Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build()?;
    let without = cpu_of(idle);
    let server = runtime.block_on(blocking().start()).map_err(io::Error::other)?;
    let with = cpu_of(idle);
    let address = server.address(Protocol::Http).expect("the server has such an endpoint");

    let mut waits = Vec::new();
    for _ in 0..rounds {
        let mut blocks = ask(address, "/block")?;
        // Until all workers sleep but that one.
        thread::sleep(Duration::from_millis(5));
        let asked = Instant::now();
        answer(&mut ask(address, "/")?, "here")?;
        waits.push(asked.elapsed().as_secs_f64() * 1e3);
        answer(&mut blocks, "done")?;
    }
    measure::tell("a request while a worker blocks", "ms", waits.iter().copied());
    let longest = waits.iter().copied().fold(0.0, f64::max);
    println!("{:44} {longest:10.2} ms", "the longest");
    println!("{:44} {:10.4} %", "an idle server, of one core", 100.0 * (with - without));
    Ok(())
}

fn ask(address: SocketAddr, path: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

fn answer(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    assert!(answer.ends_with(text), "{answer}");
    Ok(())
}

/// Measures how much of a core this process uses while this thread sleeps.
fn cpu_of(time: Duration) -> f64 {
    let before = measure::time_of_this_process();
    thread::sleep(time);
    (measure::time_of_this_process() - before).as_secs_f64() / time.as_secs_f64()
}
