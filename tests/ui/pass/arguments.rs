//! Arguments: valid code that is close to a mistake.

#![deny(warnings)]

use pode::Bytes;
use pode::prelude::*;

#[derive(Deserialize)]
struct Page {
    number: u8,
}

#[derive(Clone, Copy)]
struct Settings {
    number: u8,
}

pode_server! {
    server arguments(settings: Settings);
    endpoint http 8090;
    // PODE030, PODE031, PODE034: in another order than in the path.
    route GET "/:a/:b" (b: u8, a: u8) => async |_, b, a| text(format!("{a} {b}"));
    // PODE032, PODE033: a query beside a body; OPTIONS may have one.
    route POST, OPTIONS "/" (query: Page, body: Bytes) => async |_, query: Page, body: Bytes| text(format!("{} {}", query.number, body.len()));
    // PODE035: eight are not too many.
    route GET "/:a/:b/:c/:d/:e/:f/:g/:h" (a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) => eight;
    // PODE037: pairs, and JSON without fields.
    route GET "/pairs" (query: Vec<(String, String)>) => async |_, query: Vec<(String, String)>| text(query.len().to_string());
    route POST "/text" (json: String) => async |_, json: String| text(json);
    // PODE038: a pattern is one argument.
    route GET "/two/:a" (a: u8, query: std::collections::HashMap<String, String>) => async |_, a, _| text(format!("{a}"));
    // PODE036: other names that equal a parameter's, and a closure that copies.
    route GET "/hidden" => async |_| { let settings = 1; text(settings.to_string()) };
    route GET "/field" => async |event: WebEvent| { let own = Own { settings: event.path().len() }; text(own.settings.to_string()) };
    route GET "/copied" => move |_| async move { text(settings.number.to_string()) };
}

struct Own {
    settings: usize,
}

#[allow(clippy::too_many_arguments)]
async fn eight(_: WebEvent, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8, g: u8, h: u8) -> impl Reply {
    text(format!("{a}{b}{c}{d}{e}{f}{g}{h}"))
}

#[test]
fn can_be_made() {
    let _ = arguments(Settings { number: 1 });
}
