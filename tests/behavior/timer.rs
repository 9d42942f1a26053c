//! Timers: what clients see of their ticks.

use std::sync::Arc;
use std::time::Duration;

use pode::prelude::*;
use pode::{InvokeError, StartError};
use tokio::sync::Barrier;

use crate::support::{Client, start, within};

/// Holds a tick until the test is ready for it.
struct Gate(Barrier);

impl Gate {
    fn new() -> Gate {
        Gate(Barrier::new(2))
    }

    async fn wait(&self) {
        within(self.0.wait(), "the other side of the gate").await;
    }
}

pode_server! {
    server three;
    endpoint ws "127.0.0.1:0";
    state GATE: Gate = Gate::new();
    signal TICKS: (u64, bool) = "/ticks";
    timer "three" every 1ms { limit: 3 } => async |event| -> Result<(), SendError> {
        if event.count() == 1 {
            event.state(GATE).wait().await;
        }
        event.send(TICKS, &(event.count(), event.next().is_some())).await
    };
    route GET "/ready" => async |event| event.state(GATE).wait().await;
    endpoint http "127.0.0.1:0";
}

#[tokio::test]
async fn a_limited_timer_reaches_a_client_as_often_as_it_may() {
    let server = start(three()).await;
    let mut client = Client::connect(&server, "/ticks").await;
    assert_eq!(crate::support::get(&server, "/ready").await.status, 204);
    for tick in ["[1,true]", "[2,true]", "[3,false]"] {
        assert_eq!(client.text().await, tick);
    }
    // It can be invoked by hand, without being counted.
    server.invoke_timer("three").await.unwrap();
    assert_eq!(client.text().await, "[3,false]");
    let unknown = server.invoke_timer("four").await.unwrap_err();
    assert_eq!(unknown, InvokeError::UnknownTimer { name: "four".into() });
    assert_eq!(unknown.to_string(), "no timer `four` is declared");
}

pode_server! {
    server starting(gate: Arc<Gate>);
    endpoint ws "127.0.0.1:0";
    state START: Arc<Gate> = gate;
    signal STARTED: String = "/started";
    timer "start" every 1h { on_start: true } => tell_when_ready;
    timer "unlucky" every 1ms { limit: 2 } => async |event: TimerEvent| match event.count() {
        1 => panic!("as the test wants it"),
        _ => tell_when_ready(event).await,
    };
}

async fn tell_when_ready(event: TimerEvent) -> Result<(), SendError> {
    event.state(START).wait().await;
    event.send(STARTED, &format!("{} {}", event.name(), event.count())).await
}

#[tokio::test]
async fn one_fires_at_the_start_and_another_after_a_panic() {
    let gate = Arc::new(Gate::new());
    let server = start(starting(Arc::clone(&gate))).await;
    let mut client = Client::connect(&server, "/started").await;
    gate.wait().await;
    gate.wait().await;
    let mut said = [client.text().await, client.text().await];
    said.sort();
    assert_eq!(said, ["\"start 1\"", "\"unlucky 2\""]);
}

#[tokio::test]
async fn stopping_waits_for_a_tick_in_flight() {
    let gate = Arc::new(Gate::new());
    let server = start(slow(Arc::clone(&gate))).await;
    let mut client = Client::connect(&server, "/").await;
    gate.wait().await;
    let stopped = tokio::spawn(server.stop());
    gate.wait().await;
    assert_eq!(client.text().await, "\"done\"");
    assert_eq!(client.close_code().await, 1001);
    within(stopped, "the stop").await.unwrap();
}

pode_server! {
    server slow(gate: Arc<Gate>);
    endpoint ws "127.0.0.1:0";
    state SLOW: Arc<Gate> = gate;
    signal DONE: String = "/";
    timer "slow" every Duration::from_millis(1) => async |event| {
        let gate = event.state(SLOW);
        // The test waits until the tick is in flight, then lets it end.
        gate.wait().await;
        gate.wait().await;
        event.send(DONE, &"done".to_owned()).await
    };
}

#[tokio::test]
async fn a_dropped_server_cuts_a_tick_off() {
    let gate = Arc::new(Gate::new());
    let server = start(slow(Arc::clone(&gate))).await;
    gate.wait().await;
    drop(server);
    // The tick and its server held the gate, too.
    let alone = async {
        while Arc::strong_count(&gate) > 1 {
            tokio::task::yield_now().await;
        }
    };
    within(alone, "the end of the tick").await;
}

#[tokio::test]
async fn a_timer_ticks_inside_another_application_until_that_drops_it() {
    let gate = Arc::new(Gate::new());
    let service = slow(Arc::clone(&gate)).into_service().unwrap();
    gate.wait().await;
    gate.wait().await;
    gate.wait().await;
    drop(service);
    let alone = async {
        while Arc::strong_count(&gate) > 1 {
            tokio::task::yield_now().await;
        }
    };
    within(alone, "the end of the tick").await;
}

pode_server! {
    server zero(interval: Duration);
    timer "zero" every interval => async |_| ();
}

#[tokio::test]
async fn an_interval_of_zero_keeps_the_server_from_starting() {
    let error = zero(Duration::ZERO).start().await.unwrap_err();
    assert!(matches!(error, pode::Error::Start(StartError::Interval { timer: "zero" })));
    assert_eq!(error.to_string(), "timer `zero`: an interval must be longer than zero");
}
