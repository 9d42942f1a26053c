//! A list of names; the state is a `RefCell`, which threads can't share.

use std::cell::RefCell;

use pode::prelude::*;

pode_server! {
    server guests;
    endpoint http 8090;
    state NAMES: RefCell<Vec<String>> = RefCell::default();
    route POST "/names" (body: String) => add;
}

async fn add(event: WebEvent, name: String) -> impl Reply {
    event.state(NAMES).borrow_mut().push(name);
    text("added")
}

fn main() -> pode::Result {
    guests().run_blocking()
}
