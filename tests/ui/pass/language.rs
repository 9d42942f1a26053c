//! The language: valid code that is close to a mistake.

#![deny(warnings)]
#![allow(dead_code)]

use pode::prelude::*;

pode_server! {
    /// PODE001, PODE002: optional parts are left out, and others are present.
    #[must_use]
    pub(crate) server parts(route: u16) { send_timeout: 1_500ms, };
    endpoint http route;
    // PODE003, PODE004, PODE005: within a handler, any word is Rust's.
    route GET "/" => async |_| {
        let route = 1;
        let endpoint = route;
        text(endpoint.to_string())
    };
    // PODE006: a closure that replies is a handler.
    route GET "/view" => async |_| view("none");
    // PODE007, PODE008: existing options and attributes.
    #[allow(clippy::redundant_closure)]
    #[cfg(all())]
    /// Documented.
    route GET "/documented" { endpoint: [] } => async |_| text("documented");
    // PODE009: another name is another state, and so is one that is left out.
    state FIRST: u32 = 1;
    state SECOND: u32 = 2;
    #[cfg(any())]
    state FIRST: u32 = 3;
    route GET "/states" => async |event| {
        text((event.state(FIRST) + event.state(SECOND)).to_string())
    };
}

// PODE030, PODE044: words of Rust as names.
mod raw {
    #![allow(non_upper_case_globals)]

    use pode::prelude::*;

    pode_server! {
        pub(super) server r#in;
        endpoint r#for http 8090;
        state r#ref: u8 = 1;
        route GET "/:type" (r#type: u8) { r#endpoint: r#for } => async |event: WebEvent, r#type| {
            text(format!("{type} {}", event.state(r#ref)))
        };
    }
}

// Lints that nobody may allow.
mod forbidding {
    #![forbid(private_interfaces, unused, warnings)]

    use pode::prelude::*;

    pode_server! {
        server example { stop_timeout: 1s };
        endpoint https 8443 { certificate: self_signed(), limits: Limits { head_timeout: 1s } };
        endpoint wss 8443;
        state COUNT: u8 = 1;
        signal NEWS: u8 = "/news" { on_lag: Latest };
        route GET "/" { origins: OwnPages } => async |event| event.send(NEWS, event.state(COUNT)).await;
        upstream FEED: u8 = "wss://feed.example" { roots: SystemRoots } => async |_, _| {};
    }

    pub(super) fn is_made() {
        let _ = example();
    }
}

#[test]
fn can_be_made() {
    let _ = parts(0);
    let _ = raw::r#in();
    forbidding::is_made();
}
