//! Prices of a market, which each window has right at once after any cut.
//!
//! Start it and open <http://127.0.0.1:8100/> in two windows: cut one of them off, and
//! take a crop off the market in the other one meanwhile. The page and its script, which
//! speaks `pode.v1`, are in the folder `live_prices` next to this file.

use pode::prelude::*;
use tokio::sync::Mutex;

pode_server! {
    /// Tells each window the newest price of each crop.
    pub server live_prices;

    views  "examples/live_prices/views";
    public "examples/live_prices/public";

    endpoint http "127.0.0.1:8100";
    endpoint ws   "127.0.0.1:8100";

    state MARKET: Mutex<Market> = Mutex::new(Market::open());

    signal PRICES: Price = "/prices" {
        history_messages: 100,
        history_age: 10min,
        latest_by: |price| &price.crop,
        replay: All,
    };

    route GET  "/"                     => view "index";
    route POST "/stalls" (form: Stall) => toggle;

    timer "trade" every 200ms => trade;
}

/// What each window gets.
#[derive(Serialize)]
struct Price {
    crop: String,
    cents: u32,
}

/// The field of the page's form, set by the button that was pressed.
#[derive(Deserialize)]
struct Stall {
    crop: String,
}

/// Its prices vary at random, and never far.
struct Market {
    stalls: Vec<(&'static str, f64, bool)>,
    /// The index of the stall that has traded last.
    turn: usize,
    /// The state of the random generator.
    seed: u32,
}

impl Market {
    fn open() -> Market {
        let crops = ["peas", "beans", "lentils", "chickpeas", "lupins"];
        let stalls = crops.map(|crop| (crop, 300.0, true)).into();
        Market { stalls, turn: 0, seed: 0x90de }
    }

    /// Trades at the next stall, if it is open.
    fn trade(&mut self) -> Option<Price> {
        // Xorshift: enough for prices that nobody pays.
        self.seed ^= self.seed << 13;
        self.seed ^= self.seed >> 17;
        self.seed ^= self.seed << 5;
        let chance = f64::from(self.seed) / f64::from(u32::MAX) - 0.5;
        self.turn = (self.turn + 1) % self.stalls.len();
        let (crop, price, is_open) = &mut self.stalls[self.turn];
        *price += 12.0 * chance + 0.01 * (300.0 - *price);
        is_open.then(|| Price::new(crop, *price))
    }
}

impl Price {
    fn new(crop: &str, price: f64) -> Price {
        Price { crop: crop.to_owned(), cents: price.round().max(1.0) as u32 }
    }
}

/// Sends the price of the next crop.
async fn trade(event: TimerEvent) -> Result<(), SendError> {
    // Locked until it is sent, so that it comes before the stall is closed, or not at all.
    let mut market = event.state(MARKET).lock().await;
    match market.trade() {
        Some(price) => event.send(PRICES, &price).await,
        None => Ok(()),
    }
}

/// Closes a stall: its crop has no price any more. Or opens it again.
async fn toggle(event: WebEvent, Stall { crop }: Stall) -> Result<(), EventError> {
    let mut market = event.state(MARKET).lock().await;
    let stall = market.stalls.iter_mut().find(|(name, ..)| *name == crop);
    let (name, price, is_open) =
        stall.ok_or_else(|| EventError::new(404, "nobody sells that here"))?;
    *is_open = !*is_open;
    let sent = match is_open {
        true => event.send(PRICES, &Price::new(name, *price)).await,
        false => event.remove(PRICES, name).await,
    };
    sent.map_err(|error| EventError::new(503, error.to_string()))
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    live_prices().run_blocking()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn who_comes_has_the_price_of_each_open_stall() {
        let server = pode::test::start(live_prices()).await;
        server.advance(Duration::from_secs(3)).await;
        server.post("/stalls").form(&[("crop", "peas")]).await.assert_status(204);
        server.post("/stalls").form(&[("crop", "wheat")]).await.assert_status(404);
        let mut prices = server.connect(PRICES).await;
        let mut crops = BTreeSet::new();
        for _ in 0..4 {
            let price: serde_json::Value = prices.next_json().await;
            crops.insert(price["crop"].as_str().unwrap().to_owned());
        }
        prices.assert_silent().await;
        assert_eq!(crops, ["beans", "chickpeas", "lentils", "lupins"].map(str::to_owned).into());

        let mut window = server.connect(PRICES).protocol_v1().await;
        for _ in 0..4 {
            window.next_received::<serde_json::Value>().await;
        }
        server.post("/stalls").form(&[("crop", "beans")]).await.assert_status(204);
        assert_eq!(window.next_removal().await, "beans");
    }
}
