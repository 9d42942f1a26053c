//! A page behind a cookie; the closure uses `?` and names no return type.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    route GET "/" => async |event| {
        let name = event.cookie("name").ok_or(EventError::new(401, "who are you?"))?;
        Ok(text(name))
    };
}

fn main() -> pode::Result {
    news().run_blocking()
}
