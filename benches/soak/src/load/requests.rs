//! Clients that make requests: many small ones, and those that block a thread.

use std::pin::pin;
use std::time::Duration;

use tokio::time::sleep;

use super::Load;
use super::http::Http;
use crate::dice::Dice;
use crate::server::BLOCK;

/// Makes some requests over one connection.
pub(super) async fn ask(load: &Load, dice: &mut Dice) {
    let mut http = Http::new(load.port);
    for _ in 0..dice.below(20) {
        let (path, expected) = if dice.below(4) == 0 { ("/nothing", 404) } else { ("/", 200) };
        if get(load, &mut http, path, expected).await {
            load.counts.requests.add(1);
        }
        sleep(Duration::from_millis(dice.below(100))).await;
    }
}

/// Has a handler block its thread, makes another request meanwhile, and waits a
/// second.
pub(super) async fn block(load: &Load) {
    let (mut blocking, mut other) = (Http::new(load.port), Http::new(load.port));
    let mut blocked = pin!(get(load, &mut blocking, "/block", 200));
    let is_answered = async {
        sleep(BLOCK / 10).await;
        get(load, &mut other, "/", 200).await
    };
    let is_blocked = tokio::select! {
        is_blocked = &mut blocked => is_blocked,
        is_answered = is_answered => {
            load.counts.meanwhile.add(is_answered.into());
            blocked.await
        }
    };
    load.counts.blocked.add(is_blocked.into());
    sleep(Duration::from_secs(1)).await;
}

/// Makes a request, and checks the status of the answer; false if it is another.
pub(super) async fn get(load: &Load, http: &mut Http, path: &str, expected: u16) -> bool {
    let status = match http.get(path).await {
        Ok(status) => status,
        // The connection was closed before the request arrived.
        Err(_) => http.get(path).await.unwrap_or_default(),
    };
    if status != expected {
        load.counts.wrong(format!("{path} was answered by {status}"));
    }
    status == expected
}
