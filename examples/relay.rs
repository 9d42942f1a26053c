//! A market whose prices come from another server, for every window to watch.
//!
//! Start it and open <http://127.0.0.1:8090/>: choose what is watched, or cut the
//! line and see it come back. The page and its script are in the folder `relay`
//! beside this file.
//!
//! Both servers are in this program, so nothing else needs to be there: `feed`
//! plays somebody else's, and `relay` listens to it as it would to any.

use std::collections::BTreeSet;
use std::sync::Mutex;

use pode::prelude::*;
use tokio::sync::Mutex as AsyncMutex;

pode_server! {
    /// Passes on what the feed says, to as many windows as are open.
    pub server relay;

    views  "examples/relay/views";
    public "examples/relay/public";

    endpoint http "127.0.0.1:8090";
    endpoint ws   "127.0.0.1:8091";

    state AsyncMutex<Desk> = AsyncMutex::default();

    upstream FEED: Tick -> Order = "ws://127.0.0.1:8092/" {
        on_connect: subscribe,
        // Who cuts the line doesn't want to wait for long.
        reconnect_delay: 2s,
        max_reconnect_delay: 4s,
    } => pass_on;

    // What has been said since is better than all that was missed.
    signal PRICES: Tick = "/prices" { on_lag: Latest };
    signal LINE:   Line = "/line";

    route GET  "/"                       => view "index";
    route POST "/crops" (form: Selected) => select;
    route POST "/cut"                    => cut;

    timer "line" every 250ms => tell_of_line;
}

pode_server! {
    /// Makes prices up, and tells them to whoever orders them.
    pub server feed;

    endpoint ws "127.0.0.1:8092";

    state Mutex<Market> = Mutex::new(Market::open());

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

/// A price, on its way from the feed by the relay to the windows.
#[derive(Deserialize, Serialize)]
struct Tick {
    crop: Crop,
    cents: u32,
}

/// What the feed is told.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    /// From now on, send the prices of these and of no others.
    Watch(BTreeSet<Crop>),
    /// No feed would be asked for this, if there weren't something to see.
    HangUp,
}

// ---- The relay -------------------------------------------------------------

/// What the relay knows.
struct Desk {
    watched: BTreeSet<Crop>,
    /// How many connections to the feed there have been.
    connections: u64,
}

impl Default for Desk {
    fn default() -> Self {
        Desk { watched: [Crop::Peas, Crop::Beans, Crop::Lentils].into(), connections: 0 }
    }
}

/// How things stand: what clients on `/line` receive, four times a second.
#[derive(Serialize)]
struct Line {
    is_connected: bool,
    connections: u64,
    watched: BTreeSet<Crop>,
}

/// The field of the page's form, by the button that was pressed.
#[derive(Deserialize)]
struct Selected {
    crop: Crop,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Begins each connection to the feed, which knows nothing of earlier ones.
async fn subscribe(event: UpstreamEvent<Order>) -> Result<(), BoxError> {
    let mut desk = event.state::<AsyncMutex<Desk>>()?.lock().await;
    desk.connections += 1;
    Ok(event.reply(&Order::Watch(desk.watched.clone())).await?)
}

/// Passes a price on to all windows.
async fn pass_on(event: UpstreamEvent<Order>, tick: Tick) -> Result<(), SendError> {
    event.send(PRICES, &tick).await
}

/// Watches a crop, or no longer, and tells the feed of it.
async fn select(event: WebEvent, Selected { crop }: Selected) -> Result<(), EventError> {
    // Locked until it is sent, so that the feed hears of choices in their order.
    let mut desk = event.state::<AsyncMutex<Desk>>()?.lock().await;
    if !desk.watched.remove(&crop) {
        desk.watched.insert(crop);
    }
    match event.upstream(FEED).send(&Order::Watch(desk.watched.clone())).await {
        // Then the next connection begins with it.
        Ok(()) | Err(UpstreamError::NotConnected { .. }) => Ok(()),
        Err(error) => Err(EventError::new(502, error.to_string())),
    }
}

/// Has the feed hang up.
async fn cut(event: WebEvent) -> Result<(), EventError> {
    let sent = event.upstream(FEED).send(&Order::HangUp).await;
    sent.map_err(|error| EventError::new(502, error.to_string()))
}

/// Tells all windows how things stand.
async fn tell_of_line(event: TimerEvent) -> Result<(), BoxError> {
    let is_connected = event.upstream(FEED).is_connected();
    let line = {
        let desk = event.state::<AsyncMutex<Desk>>()?.lock().await;
        Line { is_connected, connections: desk.connections, watched: desk.watched.clone() }
    };
    Ok(event.send(LINE, &line).await?)
}

// ---- The feed --------------------------------------------------------------

/// Where prices are made: they wander, and never far.
struct Market {
    prices: [(Crop, f64); 5],
    /// Whose turn it is.
    turn: usize,
    /// What chance is made of.
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

    /// Trades a crop, each in its turn.
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

/// Does what a client orders: who watches a crop is in the group of its name.
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

/// Tells those who watch a crop what it costs now.
async fn trade(event: TimerEvent) -> Result<(), BoxError> {
    // The lock ends with the block, before anything waits.
    let tick = {
        let market = event.state::<Mutex<Market>>()?;
        market.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).trade()
    };
    Ok(event.send(TICKS, &tick).to_group(&group(tick.crop)).await?)
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
