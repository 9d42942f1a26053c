//! The client module: what pages import to listen to signals, at every server that has
//! one.

use http::StatusCode;
use warp::{Filter, Reply};

use crate::content::folder::Folder;
use crate::content::public::{Public, PublicOptions};
use crate::web::route::{RouteFilter, RoutedRequest};

/// The paths at which it is served, and what it loads where no WebSocket opens.
pub(crate) const PATHS: [&str; 2] = ["/_pode/pode.js", "/_pode/events.js"];

const FILES: Folder = Folder::embedded(&[
    ("events.js", include_bytes!("events.js")),
    ("pode.js", include_bytes!("pode.js")),
]);

/// Makes the filter that answers with it.
pub(crate) fn filter() -> RouteFilter {
    let files = Public::new("/_pode", FILES, PublicOptions::default());
    let answer = move |RoutedRequest { event, .. }| {
        let files = files.clone();
        async move {
            let (query, method, policy) = (event.query(), event.method(), event.policy());
            let file = files.find(event.path(), query, method, event.headers(), policy).await;
            file.unwrap_or_else(|| StatusCode::NOT_FOUND.into_response())
        }
    };
    warp::ext::get::<RoutedRequest>().then(answer).boxed()
}
