//! Clients of signals: valid code that is close to a mistake.

#![deny(warnings)]

use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws 8091;
    // PODE110, PODE111, PODE112: a signal that is declared later; its other
    // event; and an event of a signal that is left out.
    on connect CHAT => greet;
    on disconnect CHAT => farewell;
    #[cfg(any())]
    on disconnect CHAT => farewell_at_length;
    signal CHAT: String = "/";
    // PODE113, PODE114: one segment for each parameter, of which four are not
    // too many.
    signal FLOOR: u8 -> u8 = "/:a/:b/:c/:d" (a: u8, b: u8, c: u8, d: u8) => floor;
    on connect FLOOR => enter;
    on disconnect FLOOR => leave;
    // PODE030, PODE031, PODE034, PODE061, PODE115, PODE116: one inside the
    // other, whose parameters have other names.
    signal ROOM: String -> String = "/rooms/:room" (room: String) { level: Group } => talk;
    signal LOBBY: String = "/rooms/lobby";
    signal SEAT: u8 = "/halls/:room/seats/:seat" (room: String, seat: u8);
    // The signals of different builds may differ in everything but their name.
    #[cfg(all())]
    signal BUILD: u8 = "/builds/:build" (build: u8);
    #[cfg(any())]
    signal BUILD: u8 = "/build";
    on disconnect BUILD => async |_, _| ();
}

async fn floor(
    event: SignalEvent<u8>,
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    message: u8,
) -> Result<(), SendError> {
    event.send(FLOOR.at(&d, &c, &b, &a), &message).await
}

async fn enter(
    _: ConnectEvent<u8>,
    a: u8,
    b: u8,
    c: u8,
    d: u8,
) -> Result<(), std::num::TryFromIntError> {
    u8::try_from(u32::from(a) + u32::from(b) + u32::from(c) + u32::from(d)).map(|_| ())
}

async fn leave(_: DisconnectEvent, _: u8, _: u8, _: u8, _: u8) {}

async fn talk(_: SignalEvent<String>, _: String, _: String) {}

async fn greet(event: ConnectEvent<String>) -> Result<(), SendError> {
    event.send(CHAT, &"hello".to_owned()).await
}

async fn farewell(_: DisconnectEvent) {}

#[test]
fn can_be_made() {
    let _ = (example(), CHAT, FLOOR, ROOM, LOBBY, SEAT, BUILD);
}
