//! Who may ask: hosts by which a server is reached, and pages that send what
//! changes something. The asking is done by a browser.

use std::collections::BTreeSet;

use pode::certificate::{Certificate, pem};
use pode::prelude::*;
use pode::{Protocol, RunningServer};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::browser::chromium::Chromium;
use crate::browser::steps::in_a_browser_that_trusts;
use crate::support::{by_each_version, certificate, get, handshake, raw, request, start};

pode_server! {
    server reached;
    endpoint http "127.0.0.1:0" { hosts: ["shop.example"] };
    endpoint https "127.0.0.1:0" { certificate: certificate(), hosts: ["shop.example"] };
    endpoint ws "127.0.0.1:0" { limits: Limits { keep_alive_timeout: 1s } };
    public "behavior/files";
    signal NEWS: String = "/news";
    route GET "/" => async |_| text("a page");
    route TRACE "/" => async |_| text("traced");
}

#[tokio::test]
async fn what_changes_something_is_any_method_but_three() {
    for server in by_each_version(reached).await {
        let from = |origin| [("Origin", origin)];
        let traced = request(&server, "TRACE", "/", &from("https://evil.example"), b"").await;
        let sentence = "pages of this origin may not send this here";
        assert_eq!((traced.status, traced.text()), (403, sentence));
        assert_eq!(request(&server, "TRACE", "/", &[], b"").await.text(), "traced");
        let read = request(&server, "GET", "/", &from("https://evil.example"), b"").await;
        assert_eq!(read.status, 200);
    }
}

#[tokio::test]
async fn requests_for_other_hosts_are_refused() {
    for server in by_each_version(reached).await {
        assert_eq!(get(&server, "/").await.status, 200);
    }
    let server = start(reached()).await;
    let http = server.address(Protocol::Http).unwrap();
    let ws = server.address(Protocol::Ws).unwrap();
    let ask = async |path: &str, head: &str| {
        let head = format!("GET {path} HTTP/1.1\r\n{head}\r\nConnection: close\r\n\r\n");
        raw(http, head.as_bytes()).await
    };
    for host in
        ["localhost", "localhost:", "127.0.0.1:8090", "[::1]", "shop.example", "SHOP.example.:443"]
    {
        assert_eq!(ask("/", &format!("Host: {host}")).await.status, 200, "{host}");
    }
    for head in [
        "Host: evil.example",
        "Host: www.shop.example",
        "Host: evil.example\r\nX-Forwarded-Host: localhost\r\nForwarded: host=localhost",
    ] {
        for path in ["/", "/plain.txt", "/unknown"] {
            let answer = ask(path, head).await;
            let sentence = "this server is not reached by this host";
            assert_eq!((answer.status, answer.text()), (421, sentence), "{path} {head}");
        }
    }
    let answer = ask("http://evil.example/", "Host: localhost").await;
    assert_eq!(answer.status, 421, "the host of the target counts");
    // What asks for the health of a server may be of HTTP/1.0.
    assert_eq!(raw(http, b"GET / HTTP/1.0\r\n\r\n").await.status, 200);

    let evil = handshake("/news").replace("Host: localhost", "Host: evil.example");
    let evil = evil.replace("Connection: Upgrade", "Connection: Upgrade, close");
    assert_eq!(raw(ws, evil.as_bytes()).await.status, 421);
    let head = request(&server, "HEAD", "/", &[], b"").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
}

/// What reached a handler.
#[derive(Clone)]
struct Heard(UnboundedSender<String>);

pode_server! {
    server asked(friends: Vec<String>, certificate: Certificate, heard: Heard);
    endpoint http "127.0.0.1:0";
    endpoint ws "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate };
    endpoint wss "127.0.0.1:0";
    state HEARD: Heard = heard;
    signal OWN: u8 = "/own";
    signal FRIENDS: u8 = "/friends" { origins: pages_of(friends.clone()) };
    signal ANY: u8 = "/any" { origins: AnyPage };
    route GET "/" => async |_| html("<!doctype html><title>a page</title>");
    route GET "/hidden" => async |_| {
        html("<!doctype html><title>a page</title>").with_header("Referrer-Policy", "no-referrer")
    };
    route GET "/null" => async |_| {
        html("<!doctype html><title>a page</title>")
            .with_header("Content-Security-Policy", "sandbox allow-scripts allow-forms")
    };
    route GET, POST, PUT, PATCH, DELETE "/own/:way" (way: String) => hear;
    route GET, POST, PUT, PATCH, DELETE "/friends/:way" (way: String) { origins: pages_of(friends) } => hear;
    route GET, POST, PUT, PATCH, DELETE "/any/:way" (way: String) { origins: AnyPage } => hear;
}

async fn hear(
    event: WebEvent,
    way: String,
) -> Result<impl Reply, Box<dyn std::error::Error + Send + Sync>> {
    let who = event.path().split('/').nth(1).unwrap_or_default();
    let what = format!("{} /{who}/{way}", event.method());
    event.state(HEARD).0.send(what)?;
    Ok(text("heard"))
}

/// A server of pages, with nothing to ask for.
async fn elsewhere() -> RunningServer {
    let nobody = Heard(unbounded_channel().0);
    start(asked(Vec::new(), example_certificate(), nobody)).await
}

fn example_certificate() -> Certificate {
    let file = |name: &str| {
        format!("{}/../examples/secure/certificates/{name}", env!("CARGO_MANIFEST_DIR"))
    };
    pem(file("localhost.pem"), file("localhost.key"))
}

const SECURE_KEY: &str = include_str!("../../examples/secure/certificates/public-key.sha256");

/// Asks in each way that a page has, one after the other, and returns which
/// WebSockets were opened.
const ASK: &str = r#"(async (http, ws) => {
    const opened = [];
    for (const who of ["own", "friends", "any"]) {
        for (const method of ["GET", "POST"]) {
            const frame = document.createElement("iframe");
            frame.name = `${who}-${method}`;
            document.body.append(frame);
            const form = document.createElement("form");
            Object.assign(form, { method, action: `${http}/${who}/form`, target: frame.name });
            document.body.append(form);
            const loaded = new Promise((done) => (frame.onload = done));
            form.submit();
            await loaded;
        }
        for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
            // Without this, a browser asks first whether it may.
            const mode = method === "GET" || method === "POST" ? "no-cors" : "cors";
            await fetch(`${http}/${who}/fetch`, { method, mode }).catch(() => {});
        }
        const socket = new WebSocket(`${ws}/${who}`);
        const result = await new Promise((done) => {
            socket.onopen = () => done(true);
            socket.onerror = () => done(false);
        });
        if (result) opened.push(who);
        socket.close();
    }
    return opened;
})"#;

/// Has a page ask, and returns what was heard: by GET of each form, by other
/// methods, and by WebSockets.
async fn ask(
    chromium: &Chromium,
    page: &str,
    asked: (&str, &str),
    heard: &mut UnboundedReceiver<String>,
) -> (BTreeSet<String>, BTreeSet<String>, Vec<String>) {
    let tab = chromium.open(page).await;
    let (http, ws) = asked;
    let opened = tab.evaluate(&format!("{ASK}({http:?}, {ws:?})")).await;
    tab.close().await;
    let mut all = BTreeSet::new();
    while let Ok(what) = heard.try_recv() {
        all.insert(what);
    }
    let (read, changed) = all.into_iter().partition(|what| what.starts_with("GET "));
    (read, changed, opened)
}

/// A row of the table: what a page of this kind may send to the routes of each
/// kind, and which signals it may open.
#[test]
fn who_may_ask_is_as_the_table_says() {
    in_a_browser_that_trusts(Some(SECURE_KEY), async |chromium| {
        let [friend, stranger] = [elsewhere().await, elsewhere().await];
        let page = |server: &RunningServer, protocol, path: &str| {
            format!("{protocol}://{}{path}", server.address(protocol).unwrap())
        };
        let friends = vec![page(&friend, Protocol::Http, ""), page(&friend, Protocol::Https, "")];
        let (tell, mut heard) = unbounded_channel();
        let server = start(asked(friends, example_certificate(), Heard(tell))).await;
        let at = |protocol| page(&server, protocol, "");
        let (http, ws) = (at(Protocol::Http), at(Protocol::Ws));
        let (https, wss) = (at(Protocol::Https), at(Protocol::Wss));
        let all = &["own", "friends", "any"][..];
        let simple = &["POST form", "POST fetch"][..];
        let every = &["POST form", "POST fetch", "PUT fetch", "PATCH fetch", "DELETE fetch"][..];
        for (page, plain, secure, ways) in [
            (page(&server, Protocol::Http, "/"), all, &all[2..], every),
            (page(&server, Protocol::Http, "/hidden"), all, &all[2..], every),
            (page(&server, Protocol::Https, "/"), all, all, every),
            (page(&server, Protocol::Https, "/hidden"), all, all, every),
            (page(&friend, Protocol::Http, "/"), &all[1..], &all[1..], simple),
            (page(&friend, Protocol::Https, "/"), &all[1..], &all[1..], simple),
            (page(&stranger, Protocol::Http, "/"), &all[2..], &all[2..], simple),
            (page(&stranger, Protocol::Https, "/"), &all[2..], &all[2..], simple),
            (page(&server, Protocol::Http, "/null"), &all[2..], &all[2..], simple),
            (page(&server, Protocol::Https, "/null"), &all[2..], &all[2..], simple),
        ] {
            for (asked, admitted) in [((&*http, &*ws), plain), ((&*https, &*wss), secure)] {
                // A browser asks before it sends other methods to another
                // origin, which nobody here answers.
                let same_origin = page.starts_with(asked.0) && !page.ends_with("/null");
                let ways = if same_origin { ways } else { simple };
                let (read, changed, opened) = ask(chromium, &page, asked, &mut heard).await;
                assert_eq!(read.len(), 6, "{page} to {asked:?}: {read:?}");
                // The form of a secure page hides its origin from a plain address.
                let is_downgrade = page.starts_with("https:") && asked.0.starts_with("http:");
                let hides = &|way: &str| is_downgrade && way == "POST form";
                let expected = admitted.iter().flat_map(|who| {
                    let shown = ways.iter().filter(move |way| *who == "any" || !hides(way));
                    shown.map(move |way| {
                        let (method, form) = way.split_once(' ').unwrap();
                        format!("{method} /{who}/{form}")
                    })
                });
                assert_eq!(changed, expected.collect(), "{page} to {asked:?}");
                assert_eq!(opened, admitted, "{page} to {asked:?}");
            }
        }
    });
}
