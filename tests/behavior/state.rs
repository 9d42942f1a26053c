//! States: values that handlers share.

use std::sync::atomic::{AtomicU32, Ordering};

use pode::prelude::*;

use crate::support::{by_each_version, certificate, get};

pode_server! {
    server counting(first: u32);
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    state VISITS: AtomicU32 = AtomicU32::new(first);
    // Of the same type, but another value.
    state OTHERS: AtomicU32 = AtomicU32::new(100);
    route GET "/" => async |event| count(event.state(VISITS));
    route GET "/others" => async |event| count(event.state(OTHERS));
    route GET "/stranger" => async |event| text(event.state(STRANGER).clone());
    route GET "/type" => async |event| text(event.state(elsewhere::VISITS).clone());
}

pode_server! {
    server stranger;
    state STRANGER: String = String::new();
}

/// A state of another server may have the name of one here.
mod elsewhere {
    use pode::prelude::*;

    pode_server! {
        pub(super) server elsewhere;
        state VISITS: String = String::new();
    }
}

fn count(visits: &AtomicU32) -> impl Reply + use<> {
    text(visits.fetch_add(1, Ordering::Relaxed).to_string())
}

#[tokio::test]
async fn a_state_is_shared_by_the_handlers_of_its_server() {
    let servers = by_each_version(|| counting(5)).await;
    for server in &servers {
        assert_eq!(get(server, "/").await.text(), "5");
        assert_eq!(get(server, "/").await.text(), "6");
        assert_eq!(get(server, "/others").await.text(), "100");
    }
}

#[tokio::test]
async fn a_state_of_another_server_ends_its_handler_alone() {
    let _ = (stranger(), elsewhere::elsewhere());
    for server in by_each_version(|| counting(0)).await {
        for path in ["/stranger", "/type"] {
            let answer = get(&server, path).await;
            assert_eq!(answer.status, 500);
            assert!(!answer.text().contains("VISITS"), "{}", answer.text());
        }
        assert_eq!(get(&server, "/").await.text(), "0");
    }
}
