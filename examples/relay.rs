//! A market whose prices come from another server, shown in every window.
//!
//! Start it and open <http://127.0.0.1:8097/>: choose the crops to watch, or cut
//! the connection and see it come back. The page and its script are in the
//! folder `relay` next to this file.
//!
//! Both servers are in this program, so nothing else is needed: `feed` plays
//! the other server, and `relay` listens to it as it would to any.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use pode::prelude::*;
use tokio::sync::Mutex as AsyncMutex;

pode_server! {
    /// Passes the messages of the feed on to all open windows.
    pub server relay;

    views  "examples/relay/views";
    public "examples/relay/public";

    endpoint http "127.0.0.1:8097";
    endpoint ws   "127.0.0.1:8097";

    state DESK: AsyncMutex<Desk> = AsyncMutex::default();

    upstream FEED: Tick -> Order = "ws://127.0.0.1:8098/" {
        on_connect: subscribe,
        // A user who cuts the connection doesn't want to wait for long.
        reconnect_delay: 2s,
        max_reconnect_delay: 4s,
    } => pass_on;

    // The latest price is better than all that were missed.
    signal PRICES: Tick = "/prices" { on_lag: Latest };
    signal LINE:   Line = "/line";

    route GET  "/"                       => view "index";
    route POST "/crops" (form: Selected) => select;
    route POST "/cut"                    => cut;

    timer "line" every 250ms => tell_of_line;
}

pode_server! {
    /// Makes up prices, and sends them to the clients that order them.
    pub server feed;

    endpoint ws "127.0.0.1:8098";

    state MARKET: Mutex<Market> = Mutex::new(Market::open());

    signal TICKS: Order -> Tick = "/" => obey;

    timer "trade" every 100ms => trade;
}

/// What grows in pods.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
enum Crop {
    Peas,
    Beans,
    Lentils,
    Chickpeas,
    Lupins,
}

/// A price, on its way from the feed over the relay to the windows.
#[derive(Deserialize, Serialize)]
struct Tick {
    crop: Crop,
    cents: u32,
}

/// A message to the feed.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    /// From now on, send the prices of these and of no others.
    Watch(BTreeSet<Crop>),
    /// No real feed would offer this; here it shows the reconnection.
    HangUp,
}

// ---- The relay -------------------------------------------------------------

/// The state of the relay.
struct Desk {
    watched: BTreeSet<Crop>,
    /// The number of connections to the feed so far.
    connections: u64,
}

impl Default for Desk {
    fn default() -> Self {
        Desk { watched: [Crop::Peas, Crop::Beans, Crop::Lentils].into(), connections: 0 }
    }
}

/// The status that clients on `/line` receive four times a second.
#[derive(Serialize)]
struct Line {
    is_connected: bool,
    connections: u64,
    watched: BTreeSet<Crop>,
}

/// The field of the page's form, set by the button that was pressed.
#[derive(Deserialize)]
struct Selected {
    crop: Crop,
}

/// Begins each connection to the feed, which knows nothing of earlier ones.
async fn subscribe(event: UpstreamEvent<Order>) -> Result<(), UpstreamError> {
    let mut desk = event.state(DESK).lock().await;
    desk.connections += 1;
    event.reply(&Order::Watch(desk.watched.clone())).await
}

/// Passes a price on to all windows.
async fn pass_on(event: UpstreamEvent<Order>, tick: Tick) -> Result<(), SendError> {
    event.send(PRICES, &tick).await
}

/// Starts or stops watching a crop, and notifies the feed.
async fn select(event: WebEvent, Selected { crop }: Selected) -> Result<(), EventError> {
    // Locked until it is sent, so that the feed receives choices in order.
    let mut desk = event.state(DESK).lock().await;
    if !desk.watched.remove(&crop) {
        desk.watched.insert(crop);
    }
    match event.upstream(FEED).send(&Order::Watch(desk.watched.clone())).await {
        // The next connection begins with it, then.
        Ok(()) | Err(UpstreamError::NotConnected { .. }) => Ok(()),
        Err(error) => Err(EventError::new(502, error.to_string())),
    }
}

/// Asks the feed to close the connection.
async fn cut(event: WebEvent) -> Result<(), EventError> {
    let sent = event.upstream(FEED).send(&Order::HangUp).await;
    sent.map_err(|error| EventError::new(502, error.to_string()))
}

/// Sends the status to all windows.
async fn tell_of_line(event: TimerEvent) -> Result<(), SendError> {
    let is_connected = event.upstream(FEED).is_connected();
    let line = {
        let desk = event.state(DESK).lock().await;
        Line { is_connected, connections: desk.connections, watched: desk.watched.clone() }
    };
    event.send(LINE, &line).await
}

// ---- The feed --------------------------------------------------------------

/// Makes the prices: they vary at random, and never far.
struct Market {
    prices: [(Crop, f64); 5],
    /// The index of the crop that was traded last.
    turn: usize,
    /// The state of the random generator.
    seed: u32,
}

impl Market {
    fn open() -> Market {
        let prices = [
            (Crop::Peas, 241.0),
            (Crop::Beans, 318.0),
            (Crop::Lentils, 276.0),
            (Crop::Chickpeas, 199.0),
            (Crop::Lupins, 452.0),
        ];
        Market { prices, turn: 0, seed: 0x90de }
    }

    /// Trades the next crop, in turn.
    fn trade(&mut self) -> Tick {
        // Xorshift: enough for prices that nobody pays.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        let chance = f64::from(self.seed) / f64::from(u32::MAX) - 0.5;
        self.turn = (self.turn + 1) % self.prices.len();
        let (crop, price) = &mut self.prices[self.turn];
        *price += 12.0 * chance + 0.01 * (300.0 - *price);
        Tick { crop: *crop, cents: price.round().max(1.0) as u32 }
    }
}

/// Carries out a client's order: clients that watch a crop are in its group.
async fn obey(event: SignalEvent<Tick>, order: Order) -> Result<(), SendError> {
    let client = event.client();
    match order {
        Order::Watch(watched) => {
            for group in client.groups().await? {
                client.leave_group(&group).await?;
            }
            for crop in watched {
                client.join_group(&group(crop)).await?;
            }
            Ok(())
        }
        Order::HangUp => client.close(1012, "as ordered").await,
    }
}

/// Sends the price of a crop to the clients that watch it.
async fn trade(event: TimerEvent) -> Result<(), SendError> {
    // The lock is released at the end of the statement, before any await.
    let tick = event.state(MARKET).lock().unwrap_or_else(PoisonError::into_inner).trade();
    event.send(TICKS, &tick).to_group(&group(tick.crop)).await
}

fn group(crop: Crop) -> String {
    format!("{crop:?}")
}

#[tokio::main]
async fn main() -> pode::Result {
    pode::log_to_terminal();
    let feed = feed().start().await?;
    relay().run().await?;
    feed.stop().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_connection_begins_with_what_is_watched() {
        let server = pode::test::start(relay()).await;
        let mut prices = server.connect(PRICES).await;
        let mut feed = server.upstream(FEED).await;
        let first = [Crop::Peas, Crop::Beans, Crop::Lentils];
        feed.assert_next(&Order::Watch(first.into())).await;
        server.post("/crops").form(&[("crop", "peas")]).await.assert_status(204);
        let fewer = [Crop::Beans, Crop::Lentils];
        feed.assert_next(&Order::Watch(fewer.into())).await;
        feed.close(1012, "as ordered").await;

        let mut feed = server.upstream(FEED).await;
        feed.assert_next(&Order::Watch(fewer.into())).await;
        let tick = Tick { crop: Crop::Beans, cents: 300 };
        feed.send(&tick).await;
        prices.assert_next(&tick).await;
    }
}
