//! An upload; the page's form lacks `enctype`, so it sends the file's name only.

use pode::prelude::*;

pode_server! {
    server album;
    endpoint http 8090;
    views "files/newcomer/page-form-file-without-enctype";
    route GET "/" => view "index";
    route POST "/photos" (multipart: Multipart) => keep;
}

async fn keep(_: WebEvent, mut parts: Multipart) -> Result<impl Reply, EventError> {
    let mut count = 0;
    while let Some(part) = parts.next().await? {
        count += part.bytes().await?.len();
    }
    Ok(text(format!("{count} bytes")))
}

fn main() -> pode::Result {
    album().run_blocking()
}
