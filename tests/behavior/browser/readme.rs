//! The page of the README's server, as it is printed there.

use std::net::SocketAddr;
use std::sync::Arc;

use pode::prelude::*;
use pode::{Protocol, RunningServer};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};

use super::chromium::Tab;
use super::steps::{in_a_browser, page_in, say_at, wait_for_texts};
use crate::support::within;

pode_server! {
    // As in the README, but for the address and the handler of `on connect`.
    server news;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal NEWS: Item = "/news" { history_messages: 100 };
    route GET  "/"     => async |_| html(page_in("README.md"));
    route POST "/news" (form: Item) => publish;
    on connect NEWS => async |_| CONNECTED.add_permits(1);
}

/// Has a permit for each client that has connected.
static CONNECTED: Semaphore = Semaphore::const_new(0);

#[derive(Serialize, Deserialize)]
struct Item {
    title: String,
}

async fn publish(event: WebEvent, form: Item) -> Result<(), SendError> {
    event.send(NEWS, &form).await
}

/// Passes on what comes to an address, until it is aborted: then all connections are
/// cut, and new ones wait for the next relay.
fn relay(listener: &Arc<TcpListener>, to: SocketAddr) -> JoinHandle<()> {
    let listener = Arc::clone(listener);
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            connections.spawn(async move {
                let mut server = TcpStream::connect(to).await?;
                copy_bidirectional(&mut client, &mut server).await
            });
        }
    })
}

async fn send(server: &RunningServer, title: &str) {
    server.signals().send(NEWS, &Item { title: title.to_owned() }).await.unwrap();
}

async fn wait_for_news(tab: &Tab, newest_first: &[&str]) {
    wait_for_texts(tab, "#news li", newest_first).await;
}

async fn wait_for_client() {
    within(CONNECTED.acquire(), "the page to connect").await.unwrap().forget();
}

#[test]
fn the_page_of_the_readme_gets_what_it_missed() {
    in_a_browser(async |chromium| {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let server = news().start().await.unwrap();
        let way = relay(&listener, server.address(Protocol::Http).unwrap());
        let mut tab = chromium.open(&url).await;
        wait_for_client().await;
        say_at(&tab, "input", "one <b>").await;
        wait_for_news(&tab, &["one <b>"]).await;

        // Twice, since it must know where it is after the first time, too.
        way.abort();
        for title in ["two", "three"] {
            send(&server, title).await;
        }
        let way = relay(&listener, server.address(Protocol::Http).unwrap());
        wait_for_client().await;
        send(&server, "four").await;
        wait_for_news(&tab, &["four", "three", "two", "one <b>"]).await;
        way.abort();
        send(&server, "five").await;
        let way = relay(&listener, server.address(Protocol::Http).unwrap());
        wait_for_client().await;
        let shown = ["five", "four", "three", "two", "one <b>"];
        wait_for_news(&tab, &shown).await;

        // Another server has what it has since its start alone: the page says so.
        way.abort();
        server.stop().await;
        let server = news().start().await.unwrap();
        send(&server, "lost").await;
        let _way = relay(&listener, server.address(Protocol::Http).unwrap());
        wait_for_client().await;
        send(&server, "six").await;
        let after = ["six", "lost", "Some news may be missing here."];
        wait_for_news(&tab, &[&after[..], &shown[..]].concat()).await;
        // Beside its attempts while there was no way, and the icon that it hasn't.
        let other = |text: &String| !text.starts_with("WebSocket") && !text.contains("favicon");
        assert_eq!(tab.complaints().into_iter().filter(other).collect::<Vec<_>>(), [""; 0]);
        server.stop().await;
    });
}
