use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal SEAT: u8 -> u8 = "/halls/:hall/seats/:seat" (seat: u8, hall: String) => sit;
    on connect SEAT => enter;
}

async fn sit(event: SignalEvent<u8>, seat: u8, hall: String, message: u8) -> Result<(), SendError> {
    event.send(SEAT.at(&hall, &seat), &message).await
}

async fn enter(_: ConnectEvent<u8>, _: u8, _: String) -> Result<(), SendError> {
    Ok(())
}

fn main() {
    let _ = example();
}
