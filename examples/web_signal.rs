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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_typed_reaches_everyone() {
        let server = pode::test::start(web_signal()).await;
        let mut ada = server.connect(CHAT).await;
        let mut bob = server.connect(CHAT).await;
        let mut times = server.connect(RESPONSE_TIMES).await;
        server.post("/broadcast").form(&[("message", "hi")]).await.assert_status(204);
        for client in [&mut ada, &mut bob] {
            client.assert_next(&Message { message: "hi".to_owned() }).await;
            client.assert_silent().await;
        }
        assert!(times.next_text().await.starts_with("{\"milliseconds\":"));
    }

    #[tokio::test]
    async fn a_form_without_a_message_reaches_nobody() {
        let server = pode::test::start(web_signal()).await;
        let mut client = server.connect(CHAT).await;
        server.post("/broadcast").form(&[("text", "hi")]).await.assert_status(400);
        client.assert_silent().await;
    }
}
