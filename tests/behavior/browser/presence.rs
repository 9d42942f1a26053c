//! The page of the server in docs/presence.md, as it is printed there.

use pode::Protocol;
use pode::prelude::*;

use super::steps::{in_a_browser, page_in, say_at, wait_for_texts};

pode_server! {
    // As there, but for the address, and for the time in which nobody leaves.
    server desk;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal DESK: String -> String = "/desk" { presence: 2, presence_grace: 1h } => hear;
    on connect DESK => enter;
    route GET "/" => async |_| html(page_in("docs/presence.md"));
}

#[derive(Serialize, Deserialize)]
struct Person {
    name: String,
    #[serde(default)]
    status: String,
}

async fn enter(event: ConnectEvent<String>) -> Result<(), EventError> {
    let person: Person = event.read_query()?;
    event.present(&person)?;
    event.set_state(person.name);
    Ok(())
}

async fn hear(event: SignalEvent<String>, status: String) -> Outcome {
    let name = event.client().state::<String>()?.clone();
    Ok(event.client().present(&Person { name, status }).await?)
}

type Outcome = Result<(), Box<dyn std::error::Error + Send + Sync>>;

#[test]
fn the_page_of_the_guide_shows_who_is_there() {
    in_a_browser(async |chromium| {
        let server = desk().start().await.unwrap();
        let page = format!("http://{}/?name=", server.address(Protocol::Http).unwrap());
        let mut ada = chromium.open(&format!("{page}Ada")).await;
        wait_for_texts(&ada, "#list li", &["Ada"]).await;
        let mut bob = chromium.open(&format!("{page}%3Cb%3EBob")).await;
        for tab in [&ada, &bob] {
            wait_for_texts(tab, "#list li", &["Ada", "<b>Bob"]).await;
        }
        say_at(&bob, "#status", "peeling").await;
        for tab in [&ada, &bob] {
            wait_for_texts(tab, "#list li", &["Ada", "<b>Bob: peeling"]).await;
        }
        // The same as before, whose status isn't kept; and not one more.
        bob.reload().await;
        for tab in [&ada, &bob] {
            wait_for_texts(tab, "#list li", &["Ada", "<b>Bob"]).await;
        }
        assert_eq!(server.signals().clients(DESK).present::<Person>().unwrap().len(), 2);

        let _cid = chromium.open(&format!("{page}Cid")).await;
        for tab in [&ada, &bob] {
            wait_for_texts(tab, "#list", &["3 people"]).await;
        }
        let other = |text: &String| !text.contains("favicon");
        for tab in [&mut ada, &mut bob] {
            assert_eq!(tab.complaints().into_iter().filter(other).collect::<Vec<_>>(), [""; 0]);
        }
        server.stop().await;
    });
}
