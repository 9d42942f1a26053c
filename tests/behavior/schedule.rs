//! Schedules: what clients see when a time comes, and which time zone applies.
//! The times themselves are tested where a clock can be set.

use std::time::SystemTime;

use jiff::Timestamp;
use pode::InvokeError;
use pode::prelude::*;
use tokio::sync::Notify;

use crate::support::{Client, Process, get, start, this_test};

pode_server! {
    server scheduled;
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    state NOTIFY: Notify = Notify::new();
    signal NEWS: String = "/";
    schedule "start" cron "0 0 1 1 *" { limit: 1, on_start: true } => tell_when_ready;
    schedule "nightly" cron "0 0 * * *", "@hourly" => tell;
    // A timer may have the name of a schedule.
    timer "nightly" every 1h => async |event| event.send(NEWS, &"timer".to_owned()).await;
    route GET "/ready" => async |event| event.state(NOTIFY).notify_one();
}

async fn tell(event: ScheduleEvent) -> Result<(), SendError> {
    let coming = event.next().is_some();
    event.send(NEWS, &format!("{} {} {coming}", event.name(), event.count())).await
}

async fn tell_when_ready(event: ScheduleEvent) -> Result<(), SendError> {
    event.state(NOTIFY).notified().await;
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

/// When the schedules of the program begin to fire, which the tests below run.
const BEGIN: &str = "PODE_TEST_SCHEDULES_BEGIN";

pode_server! {
    server zoned(begin: SystemTime);
    schedule "minute" cron "* * * * *" { on_start: true, starts_at: Some(begin) } => tell_next;
    schedule "quarter" cron "*/15 * * * *" { on_start: true, starts_at: Some(begin) } => tell_next;
    schedule "night" cron "30 2 * * *" { on_start: true, starts_at: Some(begin) } => tell_next;
    schedule "day" cron "0 0 * * *" { on_start: true, starts_at: Some(begin) } => tell_next;
}

async fn tell_next(event: ScheduleEvent) {
    let next = event.next().map(|next| Timestamp::try_from(next).unwrap());
    eprintln!("{} next at {}", event.name(), next.unwrap());
}

pode_server! {
    server unscheduled;
    endpoint http "127.0.0.1:0";
    route GET "/" => async |_| text("hello");
    timer "first" every 1h { on_start: true } => async |_| eprintln!("it runs");
}

/// The program of the tests below: they run this test alone, in a process of
/// its own. Otherwise it does nothing.
#[test]
fn program() {
    let Ok(begin) = std::env::var(BEGIN) else { return };
    pode::log_to_terminal();
    let server = match begin.parse::<Timestamp>() {
        Ok(begin) => zoned(begin.into()),
        Err(_) => unscheduled(),
    };
    server.run_blocking().unwrap();
}

/// Starts the program in a time zone.
fn start_program(zone: &str, begin: &str) -> Process {
    Process::start(this_test("schedule::program").env("TZ", zone).env(BEGIN, begin))
}

/// A process has one time zone, which it takes from its environment. No country
/// changes explicit rules.
#[tokio::test]
async fn the_next_time_is_that_of_the_systems_zone() {
    const BERLIN: &str = "CET-1CEST,M3.5.0,M10.5.0/3";
    const DUBLIN: &str = "IST-1GMT0,M10.5.0,M3.5.0/1";
    const LORD_HOWE: &str = "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0";
    const TROLL: &str = "<+00>0<+02>-2,M3.5.0/1,M10.5.0/3";
    // When it begins, and the next time of each: a minute, a quarter of an
    // hour, half past two and midnight; all in UTC.
    let cases = [
        // The first and the second of two hours that read alike.
        (BERLIN, "2040-10-28T00:29:30", ["28T00:30", "28T00:30", "28T00:30", "28T23:00"]),
        (BERLIN, "2040-10-28T01:29:30", ["28T01:30", "28T01:30", "29T01:30", "28T23:00"]),
        (DUBLIN, "2040-10-28T00:29:30", ["28T00:30", "28T00:30", "28T02:30", "29T00:00"]),
        (DUBLIN, "2040-10-28T01:29:30", ["28T01:30", "28T01:30", "28T02:30", "29T00:00"]),
        (TROLL, "2040-10-28T00:29:30", ["28T00:30", "28T00:30", "28T00:30", "29T00:00"]),
        (TROLL, "2040-10-28T01:29:30", ["28T01:30", "28T01:30", "29T02:30", "29T00:00"]),
        (LORD_HOWE, "2040-03-31T14:39:30", ["31T14:40", "31T14:45", "31T16:00", "01T13:30"]),
        (LORD_HOWE, "2040-03-31T15:09:30", ["31T15:10", "31T15:15", "31T16:00", "01T13:30"]),
        // Half past two doesn't exist.
        (BERLIN, "2040-03-25T00:59:30", ["25T01:00", "25T01:00", "25T01:00", "25T22:00"]),
        ("Asia/Kolkata", "2040-01-01T00:00:30", ["01T00:01", "01T00:15", "01T21:00", "01T18:30"]),
        (":Asia/Kolkata", "2040-01-01T00:00:30", ["01T00:01", "01T00:15", "01T21:00", "01T18:30"]),
        ("", "2040-01-01T00:00:30", ["01T00:01", "01T00:15", "01T02:30", "02T00:00"]),
    ];
    let programs = cases.map(|(zone, begin, _)| start_program(zone, &format!("{begin}Z")));
    let mut found = Vec::new();
    for (program, (zone, begin, _)) in programs.iter().zip(cases) {
        let mut next = Vec::new();
        for name in ["minute", "quarter", "night", "day"] {
            let line = program.says(&format!("{name} next at 2040-")).await;
            let (_, time) = line.split_once("next at 2040-").unwrap();
            next.push(time[3..].trim_end_matches(":00Z").to_owned());
        }
        found.push((zone, begin, next));
    }
    let cases = cases.map(|(zone, begin, next)| (zone, begin, next.map(str::to_owned).to_vec()));
    assert_eq!(found, cases);
}

#[cfg(unix)]
#[tokio::test]
async fn a_zone_that_cannot_be_read_is_told() {
    let begin = "2040-01-01T00:00:30Z";
    let broken = concat!(env!("CARGO_TARGET_TMPDIR"), "/broken-zone");
    std::fs::write(broken, "TZif3, and nothing of it").unwrap();
    for zone in ["Europe/Nowhere", "CET-1CEST,M3", ":", broken, "/nowhere", "line\nbreak"] {
        let program = start_program(zone, begin);
        let told = program.says("the time zone").await;
        assert!(told.contains("WARN"), "{told}");
        assert!(told.contains(&format!("TZ={zone:?} can't be read")), "{told}");
        assert!(told.contains("so schedules go by UTC"), "{told}");
        program.says("day next at 2040-01-02T00:00:00Z").await;
    }

    let database = "/usr/share/zoneinfo/Asia/Kolkata";
    let here = concat!(env!("CARGO_TARGET_TMPDIR"), "/zone-of-its-own");
    std::fs::copy(database, here).expect("on Debian, install `tzdata`");
    for zone in ["Asia/Kolkata", ":Asia/Kolkata", database, here, "IST-5:30", "<+0530>-5:30"] {
        let program = start_program(zone, begin);
        program.says("day next at 2040-01-01T18:30:00Z").await;
        assert!(!program.said().concat().contains("time zone"), "{zone}: {:?}", program.said());
    }
    // An empty value means UTC.
    let program = start_program("", begin);
    program.says("day next at 2040-01-02T00:00:00Z").await;
    assert!(!program.said().concat().contains("time zone"), "{:?}", program.said());

    // It doesn't matter to a server without schedules.
    let program = start_program("Europe/Nowhere", "never");
    program.says("it runs").await;
    assert!(!program.said().concat().contains("time zone"), "{:?}", program.said());
}
