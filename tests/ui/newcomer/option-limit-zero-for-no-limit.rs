//! Uploads of any size; `0` was meant as "no limit".

use pode::prelude::*;

pode_server! {
    server album { limits: Limits { max_body_bytes: 0 } };
    endpoint http 8090;
    route POST "/photos" (body: Vec<u8>) => keep;
}

async fn keep(_: WebEvent, photo: Vec<u8>) -> impl Reply {
    text(photo.len().to_string())
}

fn main() -> pode::Result {
    album().run_blocking()
}
