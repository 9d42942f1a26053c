//! Memory is bounded whatever clients do.
//!
//! It is measured in a process of its own, since all other tests allocate and
//! release memory meanwhile.

use std::process::Command;

use pode::prelude::*;
use pode::{Protocol, RawMessage};
use tokio::io::AsyncWriteExt;

use crate::support::{Client, handshake, start};

/// An environment variable of the process that is measured.
const ALONE: &str = "PODE_TEST_ALONE";

/// Runs a test in a process of its own, or directly if this is that process.
fn alone(test: &str, run: impl Future<Output = ()>) {
    if std::env::var_os(ALONE).is_some() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        return runtime.unwrap().block_on(run);
    }
    let program = std::env::current_exe().unwrap();
    let arguments = ["--exact", test, "--nocapture"];
    let ran = Command::new(program).args(arguments).env(ALONE, "").output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&ran.stderr));
}

/// How many clients do each kind of abuse.
const OF_EACH_KIND: usize = 20;

/// How much a process may grow for all of them, who run in it, too. It was
/// 47,100 KiB; without bounds it would be as many as they send, which are
/// gigabytes.
const MAX_ABUSE_KIB: i64 = 80_000;

/// A response that allocates no memory.
static LARGE: [u8; 64 << 20] = [0; 64 << 20];

pode_server! {
    server open_to_abuse;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    route GET  "/" => async |_| text("here");
    route GET  "/large" => async |_| bytes("application/octet-stream", pode::Bytes::from_static(&LARGE));
    route POST "/parts" (multipart: Multipart) => async |_, mut form: Multipart| -> Result<(), EventError> {
        while let Some(mut part) = form.next().await? {
            while part.chunk().await?.is_some() {}
        }
        Ok(())
    };
    signal ECHO: RawMessage -> RawMessage = "/echo" => async |event, frame: RawMessage| event.reply(&frame).await;
    signal NEWS: RawMessage = "/news";
}

#[test]
fn memory_is_bounded_whatever_clients_do() {
    alone("memory::memory_is_bounded_whatever_clients_do", all_kinds_of_abuse());
}

async fn all_kinds_of_abuse() {
    let server = start(open_to_abuse()).await;
    let mut good = Client::connect(&server, "/news").await;
    let before = resident_kib();
    let part = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";
    let form = "POST /parts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000000\r\n\
        Content-Type: multipart/form-data; boundary=XX\r\n\r\n";
    let ping = [&b"\x89\xfd\0\0\0\0"[..], &[b'?'; 125]].concat();
    // Which protocol, what is sent first, and what is then repeated. The
    // clients don't read.
    let kinds: [(Protocol, String, Vec<u8>); 8] = [
        (Protocol::Http, "GET / HTTP/1.1\r\nHost: localhost\r\n".into(), b"A: b\r\n".repeat(99)),
        (Protocol::Http, "GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n".into(), Vec::new()),
        (Protocol::Http, String::new(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100)),
        (Protocol::Http, format!("{form}{part}"), vec![b'a'; 4096]),
        (Protocol::Http, form.into(), vec![b'a'; 4096]),
        (Protocol::Ws, handshake("/echo"), ping.repeat(100)),
        (Protocol::Ws, handshake("/echo"), [&b"\x82\xfe\x10\0\0\0\0\0"[..], &[0; 4096]].concat()),
        (Protocol::Ws, handshake("/news"), Vec::new()),
    ];
    let mut abuse = tokio::task::JoinSet::new();
    for (protocol, begins, goes_on) in kinds {
        let address = server.address(protocol).unwrap();
        for _ in 0..OF_EACH_KIND {
            let (begins, goes_on) = (begins.clone(), goes_on.clone());
            abuse.spawn(async move {
                let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                stream.write_all(begins.as_bytes()).await.unwrap();
                // As much as the server accepts, some of it more than once.
                for _ in 0..10_000 {
                    if goes_on.is_empty() || stream.write_all(&goes_on).await.is_err() {
                        break;
                    }
                }
                std::future::pending::<()>().await;
            });
        }
    }
    // Meanwhile a client that reads gets everything: so much that the others
    // can't.
    let message = RawMessage::Binary(vec![0; 64 << 10].into());
    let mut most = 0;
    for _ in 0..500 {
        server.signals().send(NEWS, &message).await.unwrap();
        assert_eq!(good.message().await.len(), 64 << 10);
        most = most.max(resident_kib() - before);
    }
    assert_eq!(crate::support::get(&server, "/").await.text(), "here");
    println!("{most} KiB more for {} who abuse the server", 8 * OF_EACH_KIND);
    assert!(most < MAX_ABUSE_KIB, "{most} KiB more");
}

/// Returns the resident memory of the process.
fn resident_kib() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
