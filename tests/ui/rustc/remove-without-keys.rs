use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws "127.0.0.1:8091";
    signal PRICES: String = "/prices" { history_messages: 20 };
    signal ROOMS: String = "/rooms/:room" (room: u32) {
        history_messages: 20,
        latest_by: |text| text.len(),
    };
    timer "sweep" every 1s => sweep;
}

async fn sweep(event: TimerEvent) -> Result<(), SendError> {
    event.remove(ROOMS, &4).await?;
    event.remove(PRICES, "AAPL").await
}

fn main() {
    let _ = example();
}
