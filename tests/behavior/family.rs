//! Families of paths: each room has clients of its own, and is removed with the
//! last of them.

use std::sync::{Arc, Mutex};

use pode::prelude::*;

use crate::support::{Client, start};

/// Who connected, and who disconnected.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct RoomId(u32);

impl std::str::FromStr for RoomId {
    type Err = &'static str;

    fn from_str(written: &str) -> Result<RoomId, Self::Err> {
        written.parse().map(RoomId).map_err(|_| "a room has a number")
    }
}

impl std::fmt::Display for RoomId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

pode_server! {
    server rooms(log: Log);
    endpoint ws "127.0.0.1:0";
    state LOG: Log = log;
    signal ROOM: String -> String = "/rooms/:room" (room: RoomId) => talk;
    signal LOBBY: String = "/rooms/lobby";
    signal SEAT: String = "/halls/:hall/seats/:seat" (hall: String, seat: u8);
    on connect ROOM => enter;
    on disconnect ROOM => leave;
}

async fn enter(event: ConnectEvent<String>, room: RoomId) -> Result<(), EventError> {
    event.state(LOG).0.lock().unwrap().push(format!("to {room}"));
    event.join_group("guests");
    event.greet(&format!("this is room {room}"))
}

async fn leave(event: DisconnectEvent, room: RoomId) -> Result<(), EventError> {
    event.state(LOG).0.lock().unwrap().push(format!("from {room}"));
    Ok(())
}

async fn talk(event: SignalEvent<String>, room: RoomId, message: String) -> Result<(), SendError> {
    event.send(ROOM.at(&room), &format!("{message} in {room}")).await
}

#[tokio::test]
async fn each_room_hears_its_own() {
    let server = start(rooms(Log::default())).await;
    let mut first = Client::connect(&server, "/rooms/1").await;
    let mut again = Client::connect(&server, "/rooms/001").await;
    let mut second = Client::connect(&server, "/rooms/2/").await;
    let mut lobby = Client::connect(&server, "/rooms/lobby").await;
    for client in [&mut first, &mut again] {
        assert_eq!(client.text().await, r#""this is room 1""#);
    }
    assert_eq!(second.text().await, r#""this is room 2""#);

    first.say(r#""hello""#).await;
    for client in [&mut first, &mut again] {
        assert_eq!(client.text().await, r#""hello in 1""#);
    }
    let signals = server.signals();
    let guests =
        |room| signals.send(ROOM.at(&RoomId(room)), &"guests".to_owned()).to_group("guests");
    guests(2).await.unwrap();
    assert_eq!(second.text().await, r#""guests""#);
    guests(3).await.unwrap();
    signals.send(LOBBY, &"lobby".to_owned()).await.unwrap();
    assert_eq!(lobby.text().await, r#""lobby""#);
    signals.send_to_all("everyone").await.unwrap();
    for client in [&mut first, &mut again, &mut second, &mut lobby] {
        assert_eq!(client.text().await, r#""everyone""#);
    }
    assert_eq!(signals.clients(ROOM.at(&RoomId(1))).list().await.unwrap().len(), 2);
    assert_eq!(signals.clients(ROOM.at(&RoomId(9))).list().await.unwrap(), []);
}

#[tokio::test]
async fn a_path_that_is_none_of_the_family_is_refused() {
    let server = start(rooms(Log::default())).await;
    let address = server.address(pode::Protocol::Ws).unwrap();
    let refusal =
        async |path: &str| Client::handshake(address, path, &[]).await.map(drop).unwrap_err();
    let sentence = "path parameter `room`: a room has a number";
    assert_eq!(refusal("/rooms/kitchen").await, (400, sentence.to_owned()));
    let sentence = "path parameter `seat`: number too large to fit in target type";
    assert_eq!(refusal("/halls/red/seats/300").await, (400, sentence.to_owned()));
    // Encoded, a mark has three bytes.
    let hall = |marks| format!("/halls/{}/seats/1", "!".repeat(marks));
    let sentence = "the path of a signal has at most 1024 bytes";
    assert_eq!(refusal(&hall(400)).await, (414, sentence.to_owned()));
    drop(Client::connect_at(address, &hall(300)).await.unwrap());
    assert_eq!(refusal("/rooms").await.0, 404);
    assert_eq!(refusal("/rooms/1/2").await.0, 404);
}

#[tokio::test]
async fn values_travel_encoded() {
    let server = start(rooms(Log::default())).await;
    let mut seat = Client::connect(&server, "/halls/the%20red%2fone/seats/07").await;
    let path = SEAT.at(&"the red/one".to_owned(), &7);
    server.signals().send(path, &"yours".to_owned()).await.unwrap();
    assert_eq!(seat.text().await, r#""yours""#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_rooms_come_and_go() {
    let server = start(rooms(Log::default())).await;
    let visitors = (0..50).map(async |visitor| {
        for room in (0..200).map(|round| visitor * 200 + round) {
            let mut client = Client::connect(&server, &format!("/rooms/{room}")).await;
            assert_eq!(client.text().await, format!(r#""this is room {room}""#));
            let path = ROOM.at(&RoomId(room));
            server.signals().send(path.clone(), &"hi".to_owned()).await.unwrap();
            assert_eq!(client.text().await, r#""hi""#);
            client.leave(1000).await;
            assert_eq!(server.signals().clients(path).list().await.unwrap(), []);
        }
    });
    futures_util::future::join_all(visitors).await;
}

#[tokio::test]
async fn who_comes_and_goes_is_told_with_the_room() {
    let log = Log::default();
    let server = start(rooms(log.clone())).await;
    let leaves = Client::connect(&server, "/rooms/7").await;
    let mut stays = Client::connect(&server, "/rooms/8").await;
    assert_eq!(stays.text().await, r#""this is room 8""#);
    leaves.leave(1000).await;
    // Waits for the handlers of the disconnected clients.
    let (code, ()) = tokio::join!(stays.close_code(), server.stop());
    assert_eq!(code, 1001);
    let mut told = log.0.lock().unwrap().clone();
    told.sort();
    assert_eq!(told, ["from 7", "from 8", "to 7", "to 8"]);
}
