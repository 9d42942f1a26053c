//! `presence`: who is at a path, as clients are told and programs ask.

use std::collections::BTreeMap;

use pode::prelude::*;
use pode::test::start;
use pode::{ClientId, DisconnectReason};
use serde_json::{Value, json};

pode_server! {
    server house;
    endpoint ws "*:80";
    // So long that nobody leaves by it.
    signal ROOM: String -> String = "/rooms/:room" (room: String) {
        presence: 2, presence_grace: 1h
    } => rename;
    signal BARE: String = "/bare";
    on connect ROOM => enter;
    on disconnect ROOM => async |event: DisconnectEvent, room: String| -> Result<(), SendError> {
        let by_itself = matches!(event.reason(), DisconnectReason::ByClient { .. });
        event.send(ROOM.at(&room), &format!("gone by itself: {by_itself}")).await
    };
    on connect BARE => async |event: ConnectEvent<String>| event.present("nobody");
}

async fn enter(event: ConnectEvent<String>, _room: String) -> Result<(), EventError> {
    let name = event.query().split('&').find_map(|field| field.strip_prefix("name="));
    match name {
        None => Ok(()),
        Some("long") => event.present(&"x".repeat(2_000)),
        Some(name) => event.present(name),
    }
}

async fn rename(event: SignalEvent<String>, room: String, name: String) -> Result<(), SendError> {
    event.client().present(&name).await?;
    event.send(ROOM.at(&room), &format!("{name} it is")).await
}

fn room(name: &str) -> pode::FamilyPath<String, String> {
    ROOM.at(&name.to_owned())
}

#[tokio::test]
async fn who_is_there_is_told_and_asked_for() {
    let server = start(house()).await;
    let mut ada = server.connect(room("a")).query(&[("name", "ada")]).protocol_v1().await;
    assert_eq!(ada.until_live().await, Vec::<String>::new());
    let present = ada.until_present(&["ada".to_owned()]).await;
    let me = ada.hello().me.clone().unwrap();
    assert_eq!(present, BTreeMap::from([(me.clone(), "ada".to_owned())]));
    // Others only listen, by whatever protocol.
    let mut plain = server.connect(room("a")).query(&[("name", "bob")]).await;
    let mut listener = server.connect(room("a")).protocol_v1().await;
    let elsewhere = server.connect(room("b")).query(&[("name", "carl")]).protocol_v1().await;
    for client in [&mut ada, &mut listener] {
        client.until_present(&["ada".to_owned(), "bob".to_owned()]).await;
    }
    let present = server.signals().clients(room("a")).present::<String>().unwrap();
    let [names, ids]: [Vec<String>; 2] = [
        present.iter().map(|(_, name)| name.clone()).collect(),
        present.iter().map(|(id, _)| id.to_string()).collect(),
    ];
    assert!(names.contains(&"ada".to_owned()) && ids.contains(&me) && names.len() == 2);
    let clients = server.signals().clients(room("a"));
    let one = |id: &str| clients.present_client::<String>(&id.parse().unwrap()).unwrap();
    assert_eq!((one(&me).as_deref(), one("nobody")), (Some("ada"), None));
    assert!(clients.present::<u32>().is_err());
    assert!(clients.present_client::<u32>(&me.parse().unwrap()).is_err());
    assert!(matches!(
        server.signals().clients(BARE).present::<String>(),
        Err(SendError::NoPresence { path: "/bare" })
    ));
    assert!(server.signals().clients(BARE).present_client::<String>(&ClientId::new()).is_err());

    // A client that says another name has it before what is sent then.
    ada.send(&"countess".to_owned()).await;
    assert_eq!(listener.next().await, "countess it is");
    listener.until_present(&["countess".to_owned(), "bob".to_owned()]).await;
    // One that says its name later is there from then on; and of three, their number is told.
    listener.send(&"dora".to_owned()).await;
    listener.until_counted(3).await;
    for text in ["countess it is", "dora it is"] {
        assert_eq!(plain.next().await, text);
        assert_eq!(ada.next().await, text);
    }
    plain.assert_silent().await;
    drop(elsewhere);
    server.stop().await;
}

#[tokio::test]
async fn who_is_cut_off_is_there_and_who_leaves_is_not() {
    let server = start(house()).await;
    let mut watch = server.connect(room("a")).protocol_v1().await;
    let mut ada = server.connect(room("a")).query(&[("name", "ada")]).protocol_v1().await;
    watch.until_present(&["ada".to_owned()]).await;
    ada.cut();
    assert_eq!(watch.next().await, "gone by itself: false");
    ada.come_back().await;
    ada.until_present(&["ada".to_owned()]).await;
    // Nobody was told anything meanwhile.
    let signals = server.signals();
    signals.send(room("a"), &"still".to_owned()).await.unwrap();
    assert_eq!(watch.next().await, "still");
    let [(id, _)] = &signals.clients(room("a")).present::<String>().unwrap()[..] else {
        panic!("she is there")
    };
    // Who closes its connection by itself has left, and who is closed for good.
    let bob = server.connect(room("a")).query(&[("name", "bob")]).protocol_v1().await;
    watch.until_present(&["ada".to_owned(), "bob".to_owned()]).await;
    bob.close().await;
    watch.until_present(&["ada".to_owned()]).await;
    let id: ClientId = id.clone();
    signals.clients(room("a")).close(&id, 4403, "out").await.unwrap();
    watch.until_present::<String>(&[]).await;
    // A plain client can't come back under its id, unless the program sets it.
    let plain = server.connect(room("a")).query(&[("name", "bob")]).await;
    watch.until_present(&["bob".to_owned()]).await;
    drop(plain);
    watch.until_present::<String>(&[]).await;
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_told_of_a_client_is_an_error() {
    let server = start(house()).await;
    let refused = server.connect(BARE).refused().await;
    assert_eq!(refused.status(), 500);
    assert!(refused.text().contains("declare it with `presence: 200`"), "{}", refused.text());
    let refused = server.connect(room("a")).query(&[("name", "long")]).refused().await;
    assert_eq!(refused.status(), 400);
    assert!(refused.text().contains("has 2002 bytes, more than 1024"), "{}", refused.text());
    let value: Value = json!([]);
    assert_eq!(json!(server.signals().clients(room("a")).present::<Value>().unwrap()), value);
    server.stop().await;
}
