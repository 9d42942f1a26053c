//! A list that is sent to everyone; the handler holds a lock while it sends.

use std::sync::Mutex;

use pode::prelude::*;

pode_server! {
    server guests;
    endpoint http 8090;
    endpoint ws 8090;
    signal NAMES: Vec<String> = "/names";
    route POST "/names" (body: String) => add;
}

static LIST: Mutex<Vec<String>> = Mutex::new(Vec::new());

async fn add(event: WebEvent, name: String) -> Result<(), SendError> {
    let mut names = LIST.lock().unwrap();
    names.push(name);
    event.send(NAMES, &names).await
}

fn main() -> pode::Result {
    guests().run_blocking()
}
