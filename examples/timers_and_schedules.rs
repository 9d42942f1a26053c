//! A live plot of a timer's samples, and a message of a schedule each minute.
//!
//! Start it and open <http://127.0.0.1:8093/>. The page and its script are in
//! the folder `timers_and_schedules` next to this file.

use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use pode::prelude::*;

pode_server! {
    /// Samples a simulated tide, and sends the time.
    pub server timers_and_schedules;

    views  "examples/timers_and_schedules/views";
    public "examples/timers_and_schedules/public";

    endpoint http "127.0.0.1:8093";
    endpoint ws   "127.0.0.1:8093";

    state TIDE: Tide = Tide::default();

    signal SAMPLES: Sample = "/samples";
    signal CHIMES:  Chime  = "/chimes";

    route GET "/" => view "index";

    timer    "sample" every 250ms      => sample;
    schedule "chime"  cron "@minutely" => chime;
}

/// What clients on `/samples` receive, four times a second.
#[derive(Serialize)]
struct Sample {
    /// The number of samples so far, this one included.
    count: u64,
    level: f64,
}

/// What clients on `/chimes` receive at each full minute.
#[derive(Serialize)]
struct Chime {
    count: u64,
    /// When the next one is due, in milliseconds since 1970, as in JavaScript.
    next: Option<u128>,
}

/// Water that oscillates, comes to rest, and is stirred now and then.
#[derive(Default)]
struct Tide(Mutex<Water>);

#[derive(Default)]
struct Water {
    level: f64,
    speed: f64,
}

impl Tide {
    /// Advances by a quarter of a second, and returns the level.
    fn sway(&self, stir: bool) -> f64 {
        let mut water = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        water.speed = 0.97 * water.speed - 0.06 * water.level + if stir { 0.25 } else { 0.0 };
        water.level += water.speed;
        water.level
    }
}

/// Sends the level to all clients.
async fn sample(event: TimerEvent) -> Result<(), SendError> {
    let count = event.count();
    // Two rhythms that rarely coincide, so that no two minutes look alike.
    let level = event.state(TIDE).sway(count % 34 == 1 || count.is_multiple_of(55));
    event.send(SAMPLES, &Sample { count, level }).await
}

/// Notifies all clients of a full minute.
async fn chime(event: ScheduleEvent) -> Result<(), SendError> {
    let milliseconds =
        |time: SystemTime| time.duration_since(UNIX_EPOCH).map(|since| since.as_millis()).ok();
    let next = event.next().and_then(milliseconds);
    event.send(CHIMES, &Chime { count: event.count(), next }).await
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    timers_and_schedules().run_blocking()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_second_has_four_samples_and_a_minute_one_chime() {
        let server =
            pode::test::start(timers_and_schedules()).clock("2026-05-01 11:58:59.5[UTC]").await;
        let mut samples = server.connect(SAMPLES).await;
        let mut chimes = server.connect(CHIMES).await;
        server.advance(Duration::from_secs(1)).await;
        for count in 1..=4 {
            let sample: serde_json::Value = samples.next_json().await;
            assert_eq!(sample["count"], count);
        }
        samples.assert_silent().await;
        let noon = 1_777_636_800_000;
        chimes.assert_next(&Chime { count: 1, next: Some(noon) }).await;
    }
}
