//! Servers: started, stopped, started again.

use std::sync::Arc;

use pode::prelude::*;
use pode::{Address, SendError};
use tokio::sync::Barrier;

use crate::support::{Client, get, start, within};

pode_server! {
    server stopping(address: Address, gate: Arc<Barrier>);
    endpoint http address.clone();
    endpoint ws   address;
    state BARRIER: Arc<Barrier> = gate;
    signal NEWS: String = "/";
    route GET "/slow" => async |event| {
        let gate = event.state(BARRIER);
        // The test waits until the request is in flight, then lets it end.
        gate.wait().await;
        gate.wait().await;
        text("done")
    };
}

/// Returns a server at an address that no other test uses: its port is still free
/// when it starts again.
fn server() -> (Server, Arc<Barrier>) {
    let gate = Arc::new(Barrier::new(2));
    (stopping("127.0.0.2:0".into(), Arc::clone(&gate)), gate)
}

#[tokio::test]
async fn stopping_lets_requests_finish_and_tells_clients() {
    let (server, gate) = server();
    let server = start(server).await;
    let address = server.endpoints()[0].address;
    let signals = server.signals().clone();
    let mut client = Client::connect(&server, "/").await;

    let slow =
        tokio::spawn(
            async move { crate::support::request_at(address, "GET", "/slow", &[], b"").await },
        );
    gate.wait().await;
    signals.send(NEWS, &"last".to_owned()).await.unwrap();
    let stopped = tokio::spawn(server.stop());
    assert_eq!(client.text().await, "\"last\"");
    gate.wait().await;
    assert_eq!(slow.await.unwrap().text(), "done");
    assert_eq!(client.close_code().await, 1001);
    within(stopped, "the stop").await.unwrap();

    assert!(matches!(
        signals.send(NEWS, &String::new()).await,
        Err(SendError::Stopped { path: "/" })
    ));
    let again = stopping(address.into(), gate);
    let again = start(again).await;
    Client::connect(&again, "/").await;
}

#[tokio::test]
async fn what_is_sent_before_the_start_waits_in_the_channel() {
    let (server, _) = server();
    let signals = server.signals();
    for number in 0..128 {
        signals.try_send(NEWS, &number.to_string()).unwrap();
    }
    assert!(matches!(signals.try_send(NEWS, &String::new()), Err(SendError::Full { .. })));
    let server = start(server).await;
    signals.send(NEWS, &String::new()).await.expect("there is room again");
    assert_eq!(get(&server, "/unknown").await.status, 404);
}

#[tokio::test]
async fn a_dropped_server_stops_at_once() {
    let (server, _) = server();
    let server = start(server).await;
    let address = server.endpoints()[0].address;
    drop(server);
    // The port is free as soon as the runtime has dropped the accept loop.
    let bind_again = async {
        while std::net::TcpListener::bind(address).is_err() {
            tokio::task::yield_now().await;
        }
    };
    within(bind_again, "the port").await;
}
