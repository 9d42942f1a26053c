//! An auction: each lot has a room, where the highest bid wins when its time is up.
//!
//! Start it, and open <https://127.0.0.1:8444/> in two windows; the browser asks
//! whether it may trust a certificate that was made just now. The pages and their
//! scripts are in the folder `auction` next to this file. The tests of the server are
//! at the end.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pode::prelude::*;

pode_server! {
    /// Sells each lot in a room of its own.
    pub server auction;

    views  "examples/auction/views";
    public "examples/auction/public";

    endpoint https "127.0.0.1:8444" { certificate: self_signed() };
    endpoint wss   "127.0.0.1:8444";

    state LOTS: Mutex<Lots> = Mutex::default();

    signal NEWS: News = "/news";
    signal ROOM: Bid -> Lot = "/rooms/:room" (room: String) { messages_per_second: 10 } => bid;
    on connect ROOM => enter;

    route GET  "/"                            => index;
    route GET  "/rooms/:room" (room: String)  => show;
    route POST "/lots"        (form: Offer)   => offer;

    timer "hammer" every 1s => hammer;
}

/// What everyone hears.
#[derive(Serialize)]
#[serde(tag = "news", rename_all = "snake_case")]
enum News {
    Offered { room: String },
    Sold { room: String, lot: Lot },
}

type Lots = BTreeMap<String, Lot>;

/// What clients in a room receive after each bid and each second.
#[derive(Clone, Default, Serialize)]
struct Lot {
    seconds_left: u32,
    euros: u32,
    bidder: Option<String>,
}

/// What they send.
#[derive(Deserialize, Serialize)]
struct Bid {
    euros: u32,
}

/// The fields of the form.
#[derive(Deserialize)]
struct Offer {
    room: String,
    #[serde(default = "a_minute")]
    seconds: u32,
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

fn a_minute() -> u32 {
    60
}

#[derive(Serialize, View)]
#[view("index", folder = "examples/auction/views")]
struct Index {
    rooms: Vec<String>,
}

#[derive(Serialize, View)]
#[view("room", folder = "examples/auction/views")]
struct Room {
    room: String,
    lot: Lot,
}

async fn index(event: WebEvent) -> Index {
    Index { rooms: lock(event.state(LOTS)).keys().cloned().collect() }
}

async fn show(event: WebEvent, room: String) -> Result<Room, EventError> {
    let lot = find(event.state(LOTS), &room)?;
    Ok(Room { room, lot })
}

fn find(lots: &Mutex<Lots>, room: &str) -> Result<Lot, EventError> {
    lock(lots).get(room).cloned().ok_or(EventError::new(404, "there is no such lot"))
}

async fn offer(event: WebEvent, offer: Offer) -> Result<impl Reply, BoxError> {
    if offer.room.is_empty() || offer.room.contains('/') {
        return Err(EventError::new(400, "a lot has a name, without `/`").into());
    }
    if offer.seconds == 0 {
        return Err(EventError::new(400, "it is for sale for a second at least").into());
    }
    match lock(event.state(LOTS)).entry(offer.room.clone()) {
        Entry::Occupied(_) => return Err(EventError::new(409, "it is for sale already").into()),
        Entry::Vacant(place) => {
            place.insert(Lot { seconds_left: offer.seconds, ..Lot::default() });
        }
    }
    event.send(NEWS, &News::Offered { room: offer.room }).await?;
    Ok(redirect("/"))
}

/// Admits those who say their name.
async fn enter(event: ConnectEvent<Lot>, room: String) -> Result<(), EventError> {
    let name = event.cookie("name").ok_or(EventError::new(401, "who are you?"))?;
    event.greet(&find(event.state(LOTS), &room)?)?;
    event.set_state(name);
    Ok(())
}

async fn bid(event: SignalEvent<Lot>, room: String, bid: Bid) -> Result<(), BoxError> {
    let lot = {
        let mut lots = lock(event.state(LOTS));
        let lot = lots.get_mut(&room).ok_or(EventError::new(410, "it is sold"))?;
        if bid.euros <= lot.euros {
            return Err(EventError::new(409, format!("bid more than {}", lot.euros)).into());
        }
        lot.euros = bid.euros;
        lot.bidder = Some(event.client().state::<String>()?.clone());
        lot.clone()
    };
    Ok(event.send(ROOM.at(&room), &lot).await?)
}

/// Takes a second from each lot, and sells those whose time is up.
async fn hammer(event: TimerEvent) -> Result<(), SendError> {
    let lots = {
        let mut lots = lock(event.state(LOTS));
        lots.values_mut().for_each(|lot| lot.seconds_left -= 1);
        let all = lots.clone();
        lots.retain(|_, lot| lot.seconds_left > 0);
        all
    };
    for (room, lot) in lots {
        event.send(ROOM.at(&room), &lot).await?;
        if lot.seconds_left == 0 {
            event.send(NEWS, &News::Sold { room, lot }).await?;
        }
    }
    Ok(())
}

fn lock(lots: &Mutex<Lots>) -> MutexGuard<'_, Lots> {
    lots.lock().unwrap_or_else(PoisonError::into_inner)
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    auction().run_blocking()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    async fn with_lots() -> pode::test::TestServer {
        let server = pode::test::start(auction()).await;
        for room in ["clock", "vase"] {
            let offer = [("room", room), ("seconds", "3")];
            server.post("/lots").form(&offer).await.assert_status(303);
        }
        server
    }

    fn room(room: &str) -> pode::FamilyPath<Lot, Bid> {
        ROOM.at(&room.to_owned())
    }

    #[tokio::test]
    async fn a_form_offers_a_lot() {
        let server = pode::test::start(auction()).await;
        let mut news = server.connect(NEWS).await;
        server.post("/lots").form(&[("room", "clock")]).await.assert_status(303);
        news.assert_next(&News::Offered { room: "clock".into() }).await;
        news.assert_silent().await;
        server.post("/lots").form(&[("room", "clock")]).await.assert_status(409);
        server.post("/lots").form(&[("room", "a/b")]).await.assert_status(400);
        server.post("/lots").form(&[("title", "x")]).await.assert_status(400);
        news.assert_silent().await;
    }

    #[tokio::test]
    async fn rooms_hear_their_own_bids_alone() {
        let server = with_lots().await;
        let mut ada = server.connect(room("clock")).cookie("name", "Ada").await;
        let mut bob = server.connect(room("vase")).cookie("name", "Bob").await;
        for client in [&mut ada, &mut bob] {
            client.assert_next(&Lot { seconds_left: 3, ..Lot::default() }).await;
        }
        ada.send(&Bid { euros: 5 }).await;
        ada.assert_next(&Lot { seconds_left: 3, euros: 5, bidder: Some("Ada".into()) }).await;
        bob.assert_silent().await;
    }

    #[tokio::test]
    async fn a_bid_beats_the_one_before() {
        let server = with_lots().await;
        let mut ada = server.connect(room("clock")).cookie("name", "Ada").await;
        ada.next_text().await;
        ada.send(&Bid { euros: 0 }).await;
        assert_eq!(
            ada.next_json::<Value>().await,
            json!({ "error": "bid more than 0", "status": 409 })
        );
    }

    #[tokio::test]
    async fn the_highest_bid_wins_when_time_is_up() {
        let server = with_lots().await;
        let mut news = server.connect(NEWS).await;
        let ada = server.connect(room("clock")).cookie("name", "Ada").await;
        ada.send(&Bid { euros: 5 }).await;
        server.settle().await;
        server.advance(Duration::from_secs(2)).await;
        news.assert_silent().await;
        server.advance(Duration::from_secs(1)).await;
        let lot = Lot { seconds_left: 0, euros: 5, bidder: Some("Ada".into()) };
        news.assert_next(&News::Sold { room: "clock".into(), lot }).await;
        assert_eq!(news.next_json::<Value>().await["room"], "vase");
        server.get("/rooms/clock").await.assert_status(404);
    }

    #[tokio::test]
    async fn the_page_shows_what_is_for_sale() {
        let server = with_lots().await;
        let page = server.get("/").await.assert_status(200);
        assert!(page.text().contains(r#"<a href="/rooms/vase">vase</a>"#), "{}", page.text());
        server.post("/lots").form(&[("room", "50 % ½")]).await.assert_status(303);
        let page = server.get("/").await;
        assert!(page.text().contains(r#""/rooms/50%20%25%20%C2%BD""#), "{}", page.text());
        let page = server.get("/rooms/vase").await.assert_status(200);
        assert!(page.text().contains("nobody"));
        server.get("/style.css").await.assert_status(200);
    }

    #[tokio::test]
    async fn strangers_are_refused() {
        let server = with_lots().await;
        let refused = server.connect(room("clock")).refused().await.assert_status(401);
        assert_eq!(refused.text(), "who are you?");
        server.connect(room("hat")).cookie("name", "Ada").refused().await.assert_status(404);
        let evil = server.post("/lots").form(&[("room", "x")]).origin("https://evil.example").await;
        assert_eq!(evil.status(), 403);
    }

    #[tokio::test]
    async fn it_speaks_tls() {
        let server = pode::test::start(auction()).await;
        assert!(server.url(None).starts_with("https://127.0.0.1:"));
        server.get("/").await.assert_status(200);
    }
}
