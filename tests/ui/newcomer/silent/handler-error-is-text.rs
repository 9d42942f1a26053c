//! A number doubled; the handler's error is a text.
//! The client gets 500, the log the text: any error that is no `EventError` is taken for the server's.

use pode::prelude::*;

pode_server! {
    server house;
    endpoint http 8090;
    route POST "/double" (body: String) => double;
}

async fn double(_: WebEvent, body: String) -> Result<impl Reply, String> {
    let number: u32 = body.parse().map_err(|_| "not a number".to_string())?;
    Ok(text((2 * number).to_string()))
}

fn main() -> pode::Result {
    house().run_blocking()
}
