//! Schedules: what clients see when their time comes. When that is, is tested
//! where a clock can be set.

use pode::InvokeError;
use pode::prelude::*;
use tokio::sync::Notify;

use crate::support::{Client, get, start};

pode_server! {
    server scheduled;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    state Notify = Notify::new();
    signal NEWS: String = "/";
    schedule "start" cron "0 0 1 1 *" { limit: 1, on_start: true } => tell_when_ready;
    schedule "nightly" cron "0 0 * * *", "@hourly" => tell;
    // A timer may have the name of a schedule.
    timer "nightly" every 1h => async |event| event.send(NEWS, &"timer".to_owned()).await;
    route GET "/ready" => async |event| event.state::<Notify>().map(Notify::notify_one);
}

async fn tell(event: ScheduleEvent) -> Result<(), SendError> {
    let coming = event.next().is_some();
    event.send(NEWS, &format!("{} {} {coming}", event.name(), event.count())).await
}

async fn tell_when_ready(event: ScheduleEvent) -> Result<(), SendError> {
    if let Ok(ready) = event.state::<Notify>() {
        ready.notified().await;
    }
    tell(event).await
}

#[tokio::test]
async fn a_schedule_reaches_a_client() {
    let server = start(scheduled()).await;
    let mut client = Client::connect(&server, "/").await;
    assert_eq!(get(&server, "/ready").await.status, 204);
    assert_eq!(client.text().await, "\"start 1 false\"");

    server.invoke_schedule("nightly").await.unwrap();
    assert_eq!(client.text().await, "\"nightly 0 true\"");
    server.invoke_timer("nightly").await.unwrap();
    assert_eq!(client.text().await, "\"timer\"");

    let unknown = server.invoke_schedule("daily").await.unwrap_err();
    assert_eq!(unknown, InvokeError::UnknownSchedule { name: "daily".into() });
    assert_eq!(unknown.to_string(), "no schedule `daily` is declared");
}
