//! A page, a form, and everyone who listens.
//!
//! Start it, open <http://127.0.0.1:8090/> in two windows, and type into one:
//! what you send shows up in both. The page and its script are in the folder
//! `web_signal` next to this file.

use pode::prelude::*;

pode_server! {
    /// Sends whatever anyone types to everyone who listens.
    pub server web_signal;

    views  "examples/web_signal/views";
    public "examples/web_signal/public";

    endpoint http "127.0.0.1:8090";
    endpoint ws   "127.0.0.1:8091";

    signal CHAT: Message = "/";
    signal RESPONSE_TIMES: ResponseTimes = "/response-times";

    route GET  "/"          => view "index";
    route POST "/broadcast" (form: Broadcast) => broadcast;
}

/// What clients of the chat receive: `{"Message":"hi"}`.
#[derive(Serialize)]
struct Message {
    #[serde(rename = "Message")]
    message: String,
}

/// What clients on `/response-times` receive.
#[derive(Serialize)]
struct ResponseTimes {
    milliseconds: u128,
}

/// The fields of the page's form.
#[derive(Deserialize)]
struct Broadcast {
    message: String,
}

/// Sends the form field `message` to every client of the chat, and the time
/// that this took to the clients on `/response-times`.
async fn broadcast(event: WebEvent, form: Broadcast) -> Result<(), SendError> {
    let started = std::time::Instant::now();
    event.send(CHAT, &Message { message: form.message }).await?;
    let milliseconds = started.elapsed().as_millis();
    event.send(RESPONSE_TIMES, &ResponseTimes { milliseconds }).await
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    web_signal().run_blocking()
}
