//! A greeting that is set at the start; the closure captures it by `move`.

use pode::prelude::*;

pode_server! {
    server house(greeting: String);
    endpoint http 8090;
    route GET "/" => async move |_| text(greeting.clone());
}

fn main() -> pode::Result {
    house("hello".to_owned()).run_blocking()
}
