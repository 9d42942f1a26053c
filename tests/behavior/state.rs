//! States: values that handlers share.

use std::sync::atomic::{AtomicU32, Ordering};

use pode::prelude::*;

use crate::support::{by_each_version, certificate, get};

#[derive(Default)]
struct Visits(AtomicU32);

pode_server! {
    server counting;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    state Visits = Visits::default();
    route GET "/" => async |event| -> Result<_, EventError> {
        let visits = event.state::<Visits>()?.0.fetch_add(1, Ordering::Relaxed);
        Ok(text(visits.to_string()))
    };
    route GET "/undeclared" => async |event| event.state::<String>().map(|_| ());
}

#[tokio::test]
async fn a_state_is_shared_and_an_undeclared_one_is_an_error() {
    for server in by_each_version(counting).await {
        assert_eq!(get(&server, "/").await.text(), "0");
        assert_eq!(get(&server, "/").await.text(), "1");
        let undeclared = get(&server, "/undeclared").await;
        assert_eq!(undeclared.status, 500);
        assert_eq!(undeclared.text(), "the server could not find what it needs for this");
    }
}
