use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/:a/:b/:c/:d/:e/:f/:g/:h/:i" (a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8, i: u8) => show;
}

#[allow(clippy::too_many_arguments)]
async fn show(_: WebEvent, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8, _: u8) {}

fn main() {
    let _ = example();
}
