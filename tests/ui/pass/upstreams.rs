//! Upstreams: valid code that is close to a mistake.

#![deny(warnings)]

use pode::prelude::*;

#[derive(Deserialize)]
struct Tick(f64);

#[derive(Serialize)]
struct Subscribe;

struct Settings {
    feed: String,
}

// Without an endpoint, since no client needs to connect.
pode_server! {
    server example(settings: Settings);
    // PODE100: no TLS, an address, a port and a query; a URL that is known only
    // at run time.
    upstream LOCAL: Tick = "ws://[::1]:8091?key=5" => on_tick;
    upstream PRICES: Tick -> Subscribe = settings.feed {
        reconnect_delay: 500ms,
        roots: system_roots_and("root.pem"),
        on_connect: async |event| event.reply(&Subscribe).await,
    } => async |event, Tick(price)| {
        if price > 1.0 { event.reply(&Subscribe).await } else { Ok(()) }
    };
    // PODE101: one that is left out.
    #[cfg(any())]
    upstream PRICES: u8 = "wss://feed.example" => on_tick;
    // A type that contains an arrow of its own; a function for each.
    upstream ARROW: std::marker::PhantomData<fn(u8) -> u8> -> Subscribe = "wss://feed.example" {
        roots: SystemRoots,
        on_connect: subscribe,
    } => async |_, _| {};
    timer "again" every 1h => async |event| event.upstream(PRICES).send(&Subscribe).await;
}

async fn on_tick(event: UpstreamEvent, tick: Tick) {
    println!("{} at {}", event.name(), tick.0);
}

async fn subscribe(event: UpstreamEvent<Subscribe>) -> Result<(), UpstreamError> {
    event.upstream(PRICES).send(&Subscribe).await?;
    event.reply(&Subscribe).await
}

#[test]
fn can_be_made() {
    let server = example(Settings { feed: "wss://feed.example".into() });
    assert!(!server.upstream(PRICES).is_connected());
}
