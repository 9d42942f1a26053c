//! Clients that misbehave: they vanish without a close frame, send nothing, send
//! without end, or break the protocol.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::client::{GOODBYE_TIMEOUT, Heard, reset, tcp};
use super::http::Http;
use super::requests::get;
use super::{FAILED, Load};
use crate::dice::Dice;
use crate::server::Numbered;

const HALF_A_HEAD: &[u8] = b"GET /news HTTP/1.1\r\nHost: localhost\r\nConnec";
const HALF_A_BODY: &[u8] =
    b"POST /news HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
      Content-Length: 100\r\n\r\n{\"stream\":";
const HALF_A_FRAME: &[u8] = b"\x81\xfe\x10\x00\0\0\0\0half";

/// Resets a connection, at some stage of it.
pub(super) async fn reset_somewhere(load: &Load, dice: &mut Dice) {
    match dice.below(6) {
        0 => reset_behind(load, b"", dice).await,
        1 => reset_behind(load, HALF_A_HEAD, dice).await,
        2 => reset_behind(load, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", dice).await,
        3 => reset_behind(load, HALF_A_BODY, dice).await,
        stage => {
            let Some(mut client) = load.connect("/news").await else { return };
            if stage == 4 {
                client.send_raw(HALF_A_FRAME).await;
            }
            sleep(Duration::from_millis(dice.below(500))).await;
            client.reset();
        }
    }
    load.counts.reset.add(1);
}

async fn reset_behind(load: &Load, bytes: &[u8], dice: &mut Dice) {
    let Some(mut stream) = open(load).await else { return };
    // Whether it arrives doesn't matter.
    let _ = stream.write_all(bytes).await;
    sleep(Duration::from_millis(dice.below(100))).await;
    reset(stream);
}

/// Begins a request and never finishes it, until the server closes it or all
/// clients stop.
pub(super) async fn stay_half_open(load: &Load, dice: &mut Dice) {
    let begun = [&b""[..], b"G", HALF_A_HEAD, HALF_A_BODY];
    let Some(mut stream) = open(load).await else { return };
    let _ = stream.write_all(begun[dice.below(4) as usize]).await;
    let mut answer = Vec::new();
    tokio::select! {
        _ = stream.read_to_end(&mut answer) => {}
        () = load.stopped() => {}
    }
    load.counts.half_open.add(1);
}

/// Reads nothing, and then resets the connection.
pub(super) async fn read_nothing(load: &Load, path: &str) {
    let Some(client) = load.connect_narrow(path).await else { return };
    sleep(Duration::from_secs(8)).await;
    client.reset();
    load.counts.reset.add(1);
}

/// A form in parts whose boundary never comes.
const FORM: &[u8] = b"POST /parts HTTP/1.1\r\nHost: localhost\r\n\
    Content-Type: multipart/form-data; boundary=XX\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Sends a form without end, and checks that it is refused.
pub(super) async fn flood_a_form(load: &Load) {
    let Some(mut stream) = open(load).await else { return };
    let (mut reads, mut writes) = stream.split();
    let chunk = [&b"1000\r\n"[..], &[b'a'; 4096], b"\r\n"].concat();
    let flood = async {
        let mut sent = writes.write_all(FORM).await;
        while sent.is_ok() {
            sent = writes.write_all(&chunk).await;
        }
    };
    let mut answer = Vec::new();
    let flooded = timeout(GOODBYE_TIMEOUT, async {
        // A reset is an end, too.
        let (_, ()) = tokio::join!(reads.read_to_end(&mut answer), flood);
    });
    match flooded.await {
        Ok(()) if answer.starts_with(b"HTTP/1.1 413") => load.counts.floods.add(1),
        Ok(()) => {
            let answer = String::from_utf8_lossy(&answer);
            let status = answer.lines().next().unwrap_or_default();
            load.counts.wrong(format!("a form without end was answered by {status:?}"));
        }
        Err(_) => load.counts.wrong("a form without end is read on and on"),
    }
}

/// How many messages a leaver sends.
const MANY: u64 = 60;

/// Sends many messages to a slow handler where few places are, and leaves before
/// they are handled.
pub(super) async fn leave_early(load: &Load, dice: &mut Dice) {
    get(load, &mut Http::new(load.port), "/places", 200).await;
    let Some(mut client) = load.find_place("/slow").await else { return };
    for number in 1..=MANY {
        let said = Numbered { stream: "slow".to_owned(), number, filling: String::new() };
        let Ok(json) = serde_json::to_string(&said) else { unreachable!("it is plain data") };
        // Whether it arrives doesn't matter.
        client.say(json).await;
    }
    match dice.below(2) {
        0 => client.reset(),
        _ => load.take_leave("/slow", client, |_| {}).await,
    }
    load.counts.leavers.add(1);
}

/// Much longer than two heartbeats of `/beat`: at the first the server pings, at
/// the second it drops the client.
const SILENCE: Duration = Duration::from_secs(10);

/// Doesn't answer heartbeats.
pub(super) async fn stay_silent(load: &Load) {
    let Some(mut client) = load.connect("/beat").await else { return };
    sleep(SILENCE).await;
    match timeout(GOODBYE_TIMEOUT, client.hear()).await {
        Ok(Heard::Nothing) => load.counts.silent_dropped.add(1),
        // A restart or a panic came first.
        Ok(Heard::Close(Some(1012), _)) => load.counts.told(1012),
        Ok(Heard::Close(Some(FAILED), _)) => load.note_failed("/beat", client.came_at),
        Ok(heard) => load.counts.wrong(format!("a silent client was told {heard:?}")),
        Err(_) => load.counts.wrong("a silent client is held as if it were there"),
    }
}

/// A path, the faulty bytes that a client sends there, and the close code that it
/// gets.
const FAULTS: [(&str, &[u8], u16); 7] = [
    ("/talk", b"\x81\x02hi", 1002),
    ("/talk", b"\xc1\x80\0\0\0\0", 1002),
    ("/talk", b"\x80\x80\0\0\0\0", 1002),
    ("/talk", b"\x81\x81\0\0\0\0\xff", 1007),
    ("/talk", b"\x81\xff\0\0\0\0\0\x10\0\0\0\0\0\0", 1009),
    ("/news", b"\x81\x82\0\0\0\0hi", 1003),
    ("/news", b"\x88\x81\0\0\0\0\x03", 1002),
];

/// Breaks the protocol, and checks the close code.
pub(super) async fn break_a_rule(load: &Load, dice: &mut Dice) {
    let (path, frame, code) = FAULTS[dice.below(FAULTS.len() as u64) as usize];
    let Some(mut client) = load.connect(path).await else { return };
    client.send_raw(frame).await;
    let told = timeout(GOODBYE_TIMEOUT, async {
        loop {
            match client.hear().await {
                Heard::Text(_) => {}
                told => return told,
            }
        }
    });
    match told.await {
        Ok(Heard::Close(told, _)) if told == Some(code) => load.counts.faults_told.add(1),
        // A restart or a panic came first.
        Ok(Heard::Close(Some(1012), _)) => load.counts.told(1012),
        Ok(Heard::Close(Some(FAILED), _)) => load.note_failed(path, client.came_at),
        told => load.counts.wrong(format!("{frame:x?} was answered by {told:?}, not by {code}")),
    }
}

async fn open(load: &Load) -> Option<TcpStream> {
    match tcp(load.port).await {
        Ok(stream) => Some(stream),
        Err(error) => {
            load.counts.wrong(format!("a connect failed: {error}"));
            None
        }
    }
}
