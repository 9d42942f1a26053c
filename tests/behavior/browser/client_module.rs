//! The client module, in the browser that it is for.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use pode::prelude::*;
use pode::{Protocol, RunningServer};
use pode_test_crates::repository;
use tokio::io::{AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::time::{interval, sleep};

use super::chromium::{Chromium, Tab};
use super::steps::in_a_browser;

const PAGE: &str = r#"<!doctype html>
<title>Numbers</title>
<script type="module">
  import { signal } from "/_pode/pode.js";
  const numbers = signal("/numbers");
  const heard = [], gaps = [];
  numbers.on((number) => heard.push(number));
  numbers.on("gap", (gap) => gaps.push(gap));
  Object.assign(window, { signal, numbers, heard, gaps });
  document.body.append("ready");
</script>"#;

pode_server! {
    server counted;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal NUMBERS: u32 = "/numbers" { history_messages: 100_000 };
    signal ECHO: u32 -> u32 = "/echo" { history_messages: 10_000, messages_per_second: 10_000 } => echo;
    signal POSTED_ECHO: u32 -> u32 = "/posted" { history_messages: 10_000, messages_per_second: 10_000 } => echo_posted;
    route GET "/" => async |_| html(PAGE);
    route GET "/model.js" => async |_| {
        text(include_str!("client_module/model.js")).with_header("Content-Type", "text/javascript")
    };
}

static ECHOED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

async fn echo(event: SignalEvent<u32>, number: u32) -> Result<(), SendError> {
    ECHOED.lock().unwrap().push(number);
    event.reply(&number).await
}

static POSTED: Mutex<Vec<u32>> = Mutex::new(Vec::new());

async fn echo_posted(event: SignalEvent<u32>, number: u32) -> Result<(), SendError> {
    POSTED.lock().unwrap().push(number);
    event.reply(&number).await
}

/// What passes on connections to a server, and resets all of them when it is told to.
struct Way {
    address: SocketAddr,
    cut: broadcast::Sender<()>,
    /// Whether no WebSocket opens, as behind some proxies.
    refuses_upgrades: Arc<AtomicBool>,
}

impl Way {
    async fn to(server: &RunningServer) -> Way {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = server.address(Protocol::Http).unwrap();
        let (cut, _) = broadcast::channel(1);
        let refuses_upgrades = Arc::new(AtomicBool::new(false));
        let (cuts, refuses) = (cut.clone(), Arc::clone(&refuses_upgrades));
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut cut = cuts.subscribe();
                let refuses = Arc::clone(&refuses);
                tokio::spawn(async move {
                    let mut begun = [0; 4096];
                    let read = client.peek(&mut begun).await?;
                    let begun = String::from_utf8_lossy(&begun[..read]).to_lowercase();
                    if refuses.load(Ordering::Relaxed) && begun.contains("upgrade: websocket") {
                        return client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
                    }
                    let mut server = TcpStream::connect(server).await?;
                    tokio::select! {
                        passed = copy_bidirectional(&mut client, &mut server) => passed.map(drop),
                        _ = cut.recv() => client.set_zero_linger(),
                    }
                });
            }
        });
        Way { address, cut, refuses_upgrades }
    }

    /// The same, and no WebSocket opens.
    async fn without_upgrades_to(server: &RunningServer) -> Way {
        let way = Way::to(server).await;
        way.refuses_upgrades.store(true, Ordering::Relaxed);
        way
    }

    async fn open(&self, chromium: &Chromium) -> Tab {
        let tab = chromium.open(&format!("http://{}/", self.address)).await;
        tab.wait_until("the module", "document.body.innerText.includes('ready')").await;
        tab
    }

    /// Cuts all connections so often, after times that look random.
    async fn cut_again_and_again(&self, cuts: u64) {
        for cut in 1..=cuts {
            sleep(Duration::from_millis(20 + cut * 7919 % 131)).await;
            let _ = self.cut.send(());
        }
    }
}

/// Has the page wait until it is live.
async fn wait_until_live(tab: &Tab) {
    let live = "new Promise((done) => {
        numbers.on('live', () => done(true));
        if (numbers.state === 'live') done(true);
    })";
    assert!(tab.evaluate::<bool>(live).await);
}

/// By what a page hears a signal.
#[derive(Clone, Copy, PartialEq)]
enum By {
    WebSocket,
    EventStream,
    /// The one or the other, at each cut.
    Both,
}

/// Sends numbers while connections are cut; each comes to the page once and in order.
async fn hear_over_cuts(chromium: &Chromium, by: By, cuts: u64) {
    let server = Arc::new(counted().start().await.unwrap());
    let way = match by {
        By::EventStream => Way::without_upgrades_to(&server).await,
        By::WebSocket | By::Both => Way::to(&server).await,
    };
    let tab = way.open(chromium).await;
    wait_until_live(&tab).await;
    let sender = Arc::clone(&server);
    let sending = tokio::spawn(async move {
        let mut ticks = interval(Duration::from_millis(5));
        for number in 0.. {
            ticks.tick().await;
            sender.signals().send(NUMBERS, &number).await.unwrap();
        }
    });
    for _ in 0..cuts / 10 {
        way.cut_again_and_again(10).await;
        if by == By::Both {
            way.refuses_upgrades.fetch_xor(true, Ordering::Relaxed);
        }
    }
    sending.abort();
    let sent = server.signals().position(NUMBERS).unwrap().number;
    let last = u32::MAX;
    server.signals().send(NUMBERS, &last).await.unwrap();
    let all = format!(
        "new Promise((done) => {{
            numbers.on((number) => number === {last} && done());
            if (heard.includes({last})) done();
        }}).then(() => [heard, gaps.length])"
    );
    let (heard, gaps): (Vec<u32>, u32) = tab.evaluate(&all).await;
    let expected: Vec<u32> = (0..sent as u32).chain([last]).collect();
    assert_eq!((heard, gaps), (expected, 0));
}

#[test]
fn each_number_comes_once_and_in_order_over_cuts() {
    in_a_browser(async |chromium| hear_over_cuts(chromium, By::WebSocket, 60).await);
}

#[test]
fn each_number_comes_once_where_no_websocket_opens() {
    in_a_browser(async |chromium| hear_over_cuts(chromium, By::EventStream, 60).await);
}

#[test]
fn each_number_comes_once_where_some_websockets_open() {
    in_a_browser(async |chromium| hear_over_cuts(chromium, By::Both, 60).await);
}

/// A browser comes back by itself, and knows where it was.
#[test]
fn each_number_comes_once_without_the_module() {
    in_a_browser(async |chromium| {
        let server = counted().start().await.unwrap();
        let way = Way::to(&server).await;
        let tab = way.open(chromium).await;
        let listening = "new Promise((done) => {
            window.plain = [];
            window.lives = 0;
            const events = (window.events = new EventSource('/numbers'));
            events.onmessage = ({ data }) => plain.push(+data);
            events.addEventListener('live', () => done(++lives));
        })";
        assert_eq!(tab.evaluate::<u32>(listening).await, 1);
        for round in 0..3 {
            for number in 10 * round..10 * round + 10 {
                if number % 10 == 5 {
                    let _ = way.cut.send(());
                }
                server.signals().send(NUMBERS, &number).await.unwrap();
            }
            let back = format!("lives >= {} && plain.length >= {}", round + 2, 10 * round + 10);
            let hearing = format!(
                "new Promise((done) => {{
                    const look = () => {back} && done(true);
                    events.addEventListener('message', look);
                    events.addEventListener('live', look);
                    look();
                }})"
            );
            assert!(tab.evaluate::<bool>(&hearing).await);
        }
        assert_eq!(tab.evaluate::<Vec<u32>>("plain").await, (0..30).collect::<Vec<_>>());
        server.stop().await;
    });
}

/// Has a page send numbers to a signal while connections are cut: each is handled once.
async fn send_over_cuts(chromium: &Chromium, by: By, handled: &Mutex<Vec<u32>>) {
    let server = counted().start().await.unwrap();
    let (way, path) = match by {
        By::EventStream => (Way::without_upgrades_to(&server).await, "/posted"),
        By::WebSocket | By::Both => (Way::to(&server).await, "/echo"),
    };
    let tab = way.open(chromium).await;
    let sending = format!(
        "new Promise((done) => {{
            const echo = signal('{path}');
            let settled = [];
            for (let n = 1; n <= 1000; n++) {{
                setTimeout(() => echo.send(n).then(
                    (reply) => settled.push(reply),
                    (error) => settled.push(error.message),
                ).then(() => settled.length === 1000 && done(settled)), 2 * n);
            }}
        }})"
    );
    let (settled, ()) =
        tokio::join!(tab.evaluate::<Vec<u32>>(&sending), way.cut_again_and_again(20));
    let all: Vec<u32> = (1..=1000).collect();
    assert_eq!(*handled.lock().unwrap(), all);
    assert_eq!(settled, all);
    server.stop().await;
}

#[test]
fn each_message_of_a_page_is_handled_once_over_cuts() {
    in_a_browser(async |chromium| send_over_cuts(chromium, By::WebSocket, &ECHOED).await);
}

#[test]
fn each_message_of_a_page_is_handled_once_where_no_websocket_opens() {
    in_a_browser(async |chromium| send_over_cuts(chromium, By::EventStream, &POSTED).await);
}

/// Sends numbers to everyone, and waits until the page has heard exactly these, and of no gap.
async fn send_and_hear(server: &RunningServer, tab: &Tab, numbers: std::ops::Range<u32>) {
    for number in numbers.clone() {
        server.signals().send(NUMBERS, &number).await.unwrap();
    }
    let all = format!("heard.length >= {}", numbers.end);
    let hearing = format!(
        "new Promise((done) => {{
            const look = () => {all} && done([heard, gaps.length]);
            numbers.on(look);
            look();
        }})"
    );
    let (heard, gaps): (Vec<u32>, u32) = tab.evaluate(&hearing).await;
    assert_eq!((heard, gaps), ((0..numbers.end).collect(), 0));
}

#[test]
fn a_page_that_was_frozen_hears_what_it_missed() {
    in_a_browser(async |chromium| {
        let server = counted().start().await.unwrap();
        let tab = Way::to(&server).await.open(chromium).await;
        wait_until_live(&tab).await;
        send_and_hear(&server, &tab, 0..10).await;
        tab.freeze(true).await;
        for number in 10..20 {
            server.signals().send(NUMBERS, &number).await.unwrap();
        }
        tab.freeze(false).await;
        send_and_hear(&server, &tab, 20..30).await;
        server.stop().await;
    });
}

#[test]
fn a_page_to_which_somebody_goes_back_hears_what_it_missed() {
    in_a_browser(async |chromium| {
        let server = counted().start().await.unwrap();
        let way = Way::to(&server).await;
        let tab = way.open(chromium).await;
        wait_until_live(&tab).await;
        send_and_hear(&server, &tab, 0..10).await;
        tab.go_to(&format!("http://{}/model.js", way.address)).await;
        for number in 10..20 {
            server.signals().send(NUMBERS, &number).await.unwrap();
        }
        tab.go_back().await;
        // It is the page of before, or it would know nothing of these.
        assert!(tab.evaluate::<usize>("heard.length").await >= 10);
        send_and_hear(&server, &tab, 20..30).await;
        server.stop().await;
    });
}

#[test]
fn a_page_that_was_offline_hears_what_it_missed() {
    in_a_browser(async |chromium| {
        let server = counted().start().await.unwrap();
        let way = Way::to(&server).await;
        let tab = way.open(chromium).await;
        wait_until_live(&tab).await;
        send_and_hear(&server, &tab, 0..10).await;
        for from in [10, 30, 50] {
            tab.be_offline(true).await;
            let _ = way.cut.send(());
            for number in from..from + 10 {
                server.signals().send(NUMBERS, &number).await.unwrap();
            }
            tab.be_offline(false).await;
            send_and_hear(&server, &tab, from + 10..from + 20).await;
        }
        server.stop().await;
    });
}

/// A hundred thousand steps of a page, a network and a server, whatever happens.
#[test]
fn the_state_machine_holds_whatever_happens() {
    in_a_browser(async |chromium| {
        let server = counted().start().await.unwrap();
        let tab = Way::to(&server).await.open(chromium).await;
        let told: serde_json::Value = tab
            .evaluate(
                "import('/model.js').then(({ run }) => {
                    const all = { messages: 0, gaps: 0, connections: 0 };
                    for (let seed = 0; seed < 100; seed++) {
                        const rate = seed % 2 ? 5 : undefined;
                        const told = run(seed, 1000, { loads: seed % 3 === 1, rate });
                        for (const key in told) all[key] += told[key];
                    }
                    return all;
                })",
            )
            .await;
        // It isn't a world in which nothing happens.
        assert!(told["messages"].as_u64() > Some(3_000), "{told}");
        assert!(told["gaps"].as_u64() > Some(300), "{told}");
        let tenths: Vec<u32> =
            tab.evaluate("import('/model.js').then(({ waits }) => waits(10_000))").await;
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
        server.stop().await;
    });
}

/// No dependency, no build step, and within four kilobytes on the way.
#[test]
fn the_module_is_small() {
    let module = std::fs::read(repository().join("pode-runtime/src/web/pode.js")).unwrap();
    let mut gzip = Command::new("gzip")
        .args(["-9", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(&module).unwrap();
    let bytes = gzip.wait_with_output().unwrap().stdout.len();
    assert!(bytes <= 4_096, "{bytes} bytes");
}
