//! Clients: their ids, their groups, and the recipients of messages.

use std::collections::HashMap;
use std::time::Duration;

use pode::RunningServer;
use pode::prelude::*;

use crate::support::{Answer, Client, get, request, start};

const SECRET: &str = "a secret of 32 bytes, for the tests";
const OTHER_SECRET: &str = "another secret, for these tests";

pode_server! {
    server clients { client_ids: signed_by(SECRET) };
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal CHAT: String = "/chat";
    signal TEAMS: u32 = "/teams" { level: Group };
    signal SECRETS: u32 = "/secrets" { level: Client };
    on connect CHAT => introduce;
    route GET "/whisper" => whisper;
    route GET "/leave/:group" (group: String) => leave;
    signal ROOM: u32 = "/rooms/:room" (room: u8);
    route GET "/rooms/:room" (room: u8) => async |event: WebEvent, room| {
        event.signal_client(ROOM.at(&room)).await.map(|id| text(id.to_string()))
    };
}

/// Lets clients name themselves in their query: `?id=ada&group=crew`.
async fn introduce(event: ConnectEvent<String>) -> Result<(), EventError> {
    for (name, value) in event.query().split('&').filter_map(|pair| pair.split_once('=')) {
        match name {
            "id" => event.set_client_id(value.parse().map_err(|_| EventError::new(400, "no id"))?),
            "group" => event.join_group(value),
            _ => return Err(EventError::new(400, "what is this?")),
        }
    }
    Ok(())
}

/// Answers over the WebSocket of the requesting client.
async fn whisper(event: WebEvent) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let client = event.signal_client(CHAT).await?;
    event.send(CHAT, &format!("only for {client}")).to_client(&client).await?;
    Ok(())
}

async fn leave(
    event: WebEvent,
    group: String,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let client = event.signal_client(CHAT).await?;
    event.clients(CHAT).leave_group(&client, &group).await?;
    Ok(())
}

fn id(text: &str) -> ClientId {
    text.parse().unwrap()
}

async fn connect(server: &RunningServer, path: &str) -> (Client, HashMap<String, String>) {
    let address = server.address(pode::Protocol::Ws).unwrap();
    Client::handshake(address, path, &[]).await.unwrap()
}

/// Returns the next texts before `end`.
async fn heard(client: &mut Client) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let text: String = serde_json::from_str(&client.text().await).unwrap();
        if text == "end" {
            return texts;
        }
        texts.push(text);
    }
}

#[tokio::test]
async fn each_way_of_sending_reaches_whom_it_names() {
    let server = start(clients()).await;
    let (mut ada, _) = connect(&server, "/chat?id=ada&group=crew&group=captains").await;
    let (mut bob, _) = connect(&server, "/chat?id=bob&group=crew").await;
    let (mut eve, _) = connect(&server, "/chat?id=eve").await;
    let signals = server.signals();
    let say = |text: &str| signals.send(CHAT, &text.to_owned());
    say("to all").await.unwrap();
    say("to the crew").to_group("crew").await.unwrap();
    say("to captains").to_group("captains").await.unwrap();
    say("to no group").to_group("Crew").await.unwrap();
    say("to bob").to_client(&id("bob")).await.unwrap();
    say("to nobody").to_client(&id("bobby")).await.unwrap();
    say("not to bob").except(&id("bob")).await.unwrap();
    say("crew but ada").to_group("crew").except(&id("ada")).await.unwrap();
    say("bob but bob").to_client(&id("bob")).except(&id("bob")).await.unwrap();
    say("at once").to_group("crew").try_now().unwrap();
    say("end").await.unwrap();
    assert_eq!(
        heard(&mut ada).await,
        ["to all", "to the crew", "to captains", "not to bob", "at once"]
    );
    assert_eq!(
        heard(&mut bob).await,
        ["to all", "to the crew", "to bob", "crew but ada", "at once"]
    );
    assert_eq!(heard(&mut eve).await, ["to all", "not to bob"]);
}

#[tokio::test]
async fn groups_change_in_the_order_of_what_is_sent() {
    let server = start(clients()).await;
    let (mut ada, _) = connect(&server, "/chat?id=ada").await;
    let (signals, ada_id) = (server.signals(), id("ada"));
    let chat = signals.clients(CHAT);
    let say = |text: &str| signals.send(CHAT, &text.to_owned());
    for round in 0..100 {
        say("before").to_group("crew").await.unwrap();
        chat.join_group(&ada_id, "crew").await.unwrap();
        chat.join_group(&ada_id, "crew").await.unwrap();
        say(&format!("inside {round}")).to_group("crew").await.unwrap();
        chat.leave_group(&ada_id, "crew").await.unwrap();
        say("after").to_group("crew").await.unwrap();
    }
    say("end").await.unwrap();
    let expected: Vec<_> = (0..100).map(|round| format!("inside {round}")).collect();
    assert_eq!(heard(&mut ada).await, expected);
}

#[tokio::test]
async fn clients_and_groups_are_listed_and_closed() {
    let server = start(clients()).await;
    let (mut ada, _) = connect(&server, "/chat?id=ada&group=crew&group=captains").await;
    let (mut bob, _) = connect(&server, "/chat?id=bob&group=crew").await;
    let (mut eve, _) = connect(&server, "/chat?id=eve").await;
    let chat = server.signals().clients(CHAT);
    let mut list = chat.list().await.unwrap();
    list.sort();
    assert_eq!(list, [id("ada"), id("bob"), id("eve")]);
    assert_eq!(chat.list_group("captains").await.unwrap(), [id("ada")]);
    assert_eq!(chat.list_group("nobody's").await.unwrap(), []);
    assert_eq!(chat.groups().await.unwrap(), ["captains", "crew"]);
    assert_eq!(chat.groups_of(&id("ada")).await.unwrap(), ["captains", "crew"]);
    assert_eq!(chat.groups_of(&id("eve")).await.unwrap(), [""; 0]);
    assert!(chat.contains(&id("eve")).await.unwrap());
    assert!(!chat.contains(&id("Eve")).await.unwrap());
    assert_eq!(server.signals().clients(TEAMS).list().await.unwrap(), []);

    let signals = server.signals();
    signals.send(CHAT, &"last words".to_owned()).to_client(&id("eve")).await.unwrap();
    chat.close(&id("eve"), 4001, "enough").await.unwrap();
    assert_eq!(eve.text().await, r#""last words""#);
    assert_eq!(eve.close_code().await, 4001);
    chat.close_group("captains", 1000, "").await.unwrap();
    assert_eq!(ada.close_code().await, 1000);
    chat.close_all(4002, "all of you").await.unwrap();
    assert_eq!(bob.close_code().await, 4002);
    let error = chat.close_all(1006, "").await.unwrap_err();
    assert!(matches!(error, SendError::Close { path: "/chat", .. }), "{error}");
}

#[tokio::test]
async fn an_id_means_one_client() {
    let server = start(clients()).await;
    let (mut first, _) = connect(&server, "/chat?id=ada&group=crew").await;
    let (mut second, _) = connect(&server, "/chat?id=ada").await;
    assert_eq!(first.close_code().await, 1008);
    let signals = server.signals();
    signals.send(CHAT, &"end".to_owned()).to_client(&id("ada")).await.unwrap();
    assert_eq!(heard(&mut second).await, [""; 0]);
    assert_eq!(signals.clients(CHAT).groups().await.unwrap(), [""; 0]);
    assert_eq!(signals.clients(CHAT).list().await.unwrap(), [id("ada")]);
}

async fn whisper_as(server: &RunningServer, id: &str) -> Answer {
    request(server, "GET", "/whisper", &[("X-Pode-Signal-Client-Id", id)], b"").await
}

#[tokio::test]
async fn a_request_is_answered_over_the_socket_of_whoever_proves_who_it_is() {
    let server = start(clients()).await;
    let (mut ada, told) = connect(&server, "/chat?id=ada&group=crew&group=captains").await;
    let (_bob, told_bob) = connect(&server, "/chat?id=bob").await;
    let proof = &told["x-pode-signal-client-id"];
    assert!(proof.starts_with("s:ada."), "{proof}");
    assert_eq!(told["x-pode-signal-name"], "/chat");
    assert_eq!(told["x-pode-signal-group"], "crew,captains");
    assert!(!told_bob.contains_key("x-pode-signal-group"));

    assert_eq!(whisper_as(&server, proof).await.status, 204);
    assert_eq!(ada.text().await, r#""only for ada""#);

    let signature = proof.rsplit_once('.').unwrap().1;
    for forged in ["ada", "s:ada", "s:ada.AAAA", &format!("s:bob.{signature}"), "s:", "."] {
        let answer = whisper_as(&server, forged).await;
        assert_eq!(answer.status, 400, "{forged}");
        assert_eq!(answer.text(), "the header `X-Pode-Signal-Client-Id` is not valid");
    }
    assert_eq!(get(&server, "/whisper").await.status, 400);

    // A request for a disconnected client fails.
    ada.leave(1000).await;
    let chat = server.signals().clients(CHAT);
    assert!(!chat.contains(&id("ada")).await.unwrap());
    let answer = whisper_as(&server, proof).await;
    assert_eq!((answer.status, answer.text()), (404, "no such client is connected"));
}

#[tokio::test]
async fn a_proof_is_good_at_the_path_that_it_was_given_out_for() {
    let server = start(clients()).await;
    let (_client, told) = connect(&server, "/rooms/1").await;
    let headers = [("X-Pode-Signal-Client-Id", told["x-pode-signal-client-id"].as_str())];
    for (path, status) in [("/rooms/1", 200), ("/rooms/2", 400), ("/whisper", 400)] {
        assert_eq!(request(&server, "GET", path, &headers, b"").await.status, status, "{path}");
    }
}

pode_server! {
    server trusting { client_ids: signed_by(secret_from_env("PODE_TEST_SECRET")) };
    endpoint ws "127.0.0.1:0";
    signal NEWS: String = "/news";
}

#[tokio::test]
async fn a_secret_comes_from_the_environment() {
    const NAME: &str = "PODE_TEST_SECRET";
    let Some(secret) = std::env::var_os(NAME) else {
        let error = trusting().start().await.unwrap_err();
        let says = "the environment variable `PODE_TEST_SECRET`, which should hold the secret of \
                    `client_ids`, is not set; make one by `openssl rand -hex 32`";
        assert_eq!(error.to_string(), says);
        // Processes of their own, since all tests here share the environment.
        for secret in ["", "of fifteen byte", "of sixteen bytes"] {
            let again = tokio::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "client::a_secret_comes_from_the_environment"])
                .env(NAME, secret)
                .output()
                .await
                .unwrap();
            let said = String::from_utf8_lossy(&again.stdout);
            assert!(again.status.success() && said.contains("1 passed"), "{said}");
        }
        return;
    };
    if secret.len() < 16 {
        let error = trusting().start().await.unwrap_err();
        let says = "the secret of `client_ids` in the environment variable `PODE_TEST_SECRET` \
                    has fewer than 16 bytes; make one by `openssl rand -hex 32`";
        assert_eq!(error.to_string(), says);
        return;
    }
    let server = start(trusting()).await;
    let (_client, told) = connect(&server, "/news").await;
    assert!(told["x-pode-signal-client-id"].starts_with("s:"));
}

mod brief {
    use super::*;

    pode_server! {
        pub(super) server brief(lifetime: Duration) {
            client_ids: signed_by(SECRET), client_id_lifetime: lifetime
        };
        endpoint http "127.0.0.1:0";
        endpoint ws   "127.0.0.1:0";
        signal NEWS: String = "/news";
        route GET "/who" => async |event: WebEvent| {
            event.signal_client(NEWS).await.map(|id| text(id.to_string()))
        };
    }
}

#[tokio::test]
async fn a_proof_is_good_for_its_lifetime() {
    for (lifetime, status) in [(Duration::MAX, 200), (Duration::ZERO, 400)] {
        let server = start(brief::brief(lifetime)).await;
        let (_client, told) = connect(&server, "/news").await;
        let headers = [("X-Pode-Signal-Client-Id", told["x-pode-signal-client-id"].as_str())];
        let answer = request(&server, "GET", "/who", &headers, b"").await;
        assert_eq!(answer.status, status, "{lifetime:?}");
    }
}

mod strict {
    use super::*;

    pode_server! {
        pub(super) server strict { client_ids: signed_by(OTHER_SECRET).strict() };
        endpoint http "127.0.0.1:0";
        endpoint ws   "127.0.0.1:0";
        signal NEWS: String = "/news";
        route GET "/who" => async |event| -> Result<_, EventError> {
            Ok(text(event.signal_client(NEWS).await?.to_string()))
        };
    }
}

#[tokio::test]
async fn a_proof_that_somebody_else_replays_is_none() {
    let server = start(strict::strict()).await;
    let address = server.address(pode::Protocol::Ws).unwrap();
    let agent = [("user-agent", "a browser")];
    let (_client, told) = Client::handshake(address, "/news", &agent).await.unwrap();
    let proof = told["x-pode-signal-client-id"].as_str();
    let who = async |agent| {
        let headers = [("X-Pode-Signal-Client-Id", proof), ("User-Agent", agent)];
        request(&server, "GET", "/who", &headers, b"").await
    };
    let answer = who("a browser").await;
    assert_eq!(answer.status, 200);
    assert!(proof.contains(answer.text()));
    let answer = who("another browser").await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.text(), "the header `X-Pode-Signal-Client-Id` is not valid");
}

#[tokio::test]
async fn ids_that_nobody_gives_are_of_the_server() {
    let server = start(clients()).await;
    let (_one, first) = connect(&server, "/teams").await;
    let (_other, second) = connect(&server, "/teams").await;
    let [first, second] = [first, second].map(|told| told["x-pode-signal-client-id"].clone());
    assert_ne!(first, second);
    let id = first.strip_prefix("s:").unwrap().split_once('.').unwrap().0;
    // A UUID of version 7.
    assert_eq!((id.len(), &id[14..15]), (36, "7"));
}

#[tokio::test]
async fn a_level_narrows_whom_a_signal_reaches() {
    let server = start(clients()).await;
    let (mut client, told) = connect(&server, "/secrets").await;
    let proof = &told["x-pode-signal-client-id"];
    let client_id = id(proof[2..].split_once('.').unwrap().0);
    let signals = server.signals();
    signals.send(SECRETS, &7).to_client(&client_id).await.unwrap();
    assert_eq!(client.text().await, "7");
    signals.send(TEAMS, &7).to_group("crew").await.unwrap();
    // A wider audience doesn't compile: `tests/ui/rustc/`.
}

#[tokio::test]
async fn a_client_with_very_many_groups_is_refused() {
    let server = start(clients()).await;
    let address = server.address(pode::Protocol::Ws).unwrap();
    let groups = |number| {
        let groups: Vec<_> = (0..number).map(|number| format!("group={number}")).collect();
        format!("/chat?{}", groups.join("&"))
    };
    let (_client, headers) = connect(&server, &groups(1000)).await;
    // Many a client takes no response with headers of that length.
    assert_eq!(headers.get("x-pode-signal-group"), None);
    let (_other, headers) = connect(&server, &groups(3)).await;
    assert_eq!(headers["x-pode-signal-group"], "0,1,2");
    assert_eq!(server.signals().clients(CHAT).groups().await.unwrap().len(), 1000);
    let refusal = Client::handshake(address, &groups(1001), &[]).await.map(drop).unwrap_err();
    let sentence = "a client joins at most 1000 groups with names of 1024 bytes";
    assert_eq!(refusal, (400, sentence.to_owned()));
    let long = format!("/chat?group={}", "x".repeat(1025));
    assert_eq!(Client::connect_at(address, &long).await.err(), Some(400));
}
