//! Rebroadcasting: pages and programs that were written for Pode send to each
//! other.

use pode::prelude::*;

use crate::support::{Client, start};

pode_server! {
    server walls;
    endpoint ws "127.0.0.1:0";
    signal WALL: String -> String = "/wall" { rebroadcast: Anyone } => rebroadcast;
    signal NUMBERS: u32 -> u32 = "/numbers" { rebroadcast: Anyone } => rebroadcast;
    signal TEAMS: String -> String = "/teams" { rebroadcast: OwnGroups } => rebroadcast;
    signal NEWS: String = "/news";
    on connect WALL => introduce;
    on connect TEAMS => introduce;
}

/// Lets clients name themselves and their groups in their query:
/// `?ada&crew&captains`.
async fn introduce(event: ConnectEvent<String>) -> Result<(), EventError> {
    let mut words = event.query().split('&');
    let id = words.next().unwrap_or_default();
    event.set_client_id(id.parse().map_err(|_| EventError::new(400, "who are you?"))?);
    words.for_each(|group| event.join_group(group));
    Ok(())
}

#[tokio::test]
async fn a_message_goes_to_whom_its_sender_says() {
    let server = start(walls()).await;
    let mut ada = Client::connect(&server, "/wall?ada&crew").await;
    let mut bob = Client::connect(&server, "/wall?bob&crew").await;
    let mut eve = Client::connect(&server, "/wall?eve").await;
    let mut numbers = Client::connect(&server, "/numbers").await;
    let mut news = Client::connect(&server, "/news").await;
    for said in [
        r#"{"message":"to all"}"#,
        r#"{"message":"to the crew","group":"crew"}"#,
        r#"{"message":"to bob","clientId":"bob"}"#,
        r#"{"message":"to me","direct":true}"#,
        r#"{"message":42,"path":"/numbers"}"#,
        r#"{"message":"here","path":"/wall","more":"than is asked for"}"#,
    ] {
        ada.say(said).await;
    }
    for expected in ["to all", "to the crew", "to me", "here"] {
        assert_eq!(ada.text().await, expected);
    }
    for expected in ["to all", "to the crew", "to bob", "here"] {
        assert_eq!(bob.text().await, expected);
    }
    for expected in ["to all", "here"] {
        assert_eq!(eve.text().await, expected);
    }
    assert_eq!(numbers.text().await, "42");

    for (said, error) in [
        ("hello", "message: expected value at line 1 column 1"),
        ("{}", "message: missing field `message` at line 1 column 2"),
        (
            r#"{"message":42}"#,
            "message: invalid type: integer `42`, expected a string at line 1 column 2",
        ),
        (r#"{"message":"x","path":"/news"}"#, "path: nobody can be reached at \"/news\""),
        (r#"{"message":"x","path":"/teams"}"#, "path: nobody can be reached at \"/teams\""),
        (r#"{"message":"x","path":"/nowhere"}"#, "path: nobody can be reached at \"/nowhere\""),
        (
            r#"{"message":"x","clientId":"b b"}"#,
            "clientId: a client id has from 1 to 128 visible ASCII characters",
        ),
    ] {
        check_refused(&mut ada, said, error).await;
    }
    server.signals().send(NEWS, &"news".to_owned()).await.unwrap();
    assert_eq!(news.text().await, r#""news""#, "and nothing before");
}

#[tokio::test]
async fn where_it_is_open_to_groups_only_members_are_heard() {
    let server = start(walls()).await;
    let mut ada = Client::connect(&server, "/teams?ada&crew&captains").await;
    let mut bob = Client::connect(&server, "/teams?bob&crew").await;
    let mut eve = Client::connect(&server, "/teams?eve").await;
    bob.say(r#"{"message":"to my group"}"#).await;
    assert_eq!(ada.text().await, "to my group");
    assert_eq!(bob.text().await, "to my group");
    ada.say(r#"{"message":"captains","group":"captains"}"#).await;
    assert_eq!(ada.text().await, "captains");
    ada.say(r#"{"message":"to me","direct":true}"#).await;
    assert_eq!(ada.text().await, "to me");
    for (said, error) in [
        (r#"{"message":"x","group":"captains"}"#, "group: you are not in this group"),
        (
            r#"{"message":"x","clientId":"ada"}"#,
            "clientId: messages of clients go to their groups here",
        ),
        (r#"{"message":"x","path":"/wall"}"#, r#"path: nobody can be reached at "/wall""#),
    ] {
        check_refused(&mut bob, said, error).await;
    }
    check_refused(&mut ada, r#"{"message":"x"}"#, "group: say to which of your groups").await;
    check_refused(&mut eve, r#"{"message":"x"}"#, "you are in no group").await;
}

/// Sends a message, and checks the error it gets.
async fn check_refused(client: &mut Client, said: &str, error: &str) {
    client.say(said).await;
    let told: serde_json::Value = serde_json::from_str(&client.text().await).unwrap();
    assert_eq!(told["error"], error, "{said}");
}
