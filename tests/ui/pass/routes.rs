//! Routes: valid code that is close to a mistake.

#![deny(warnings)]

use pode::prelude::*;
use pode::warp::Filter;

pode_server! {
    server routes(given: fn(WebEvent) -> Answer, by: impl FnOnce() -> fn(WebEvent) -> Answer);
    endpoint outer http 8090;
    endpoint inner http 8091;
    // PODE010, PODE011: dots, dashes and other scripts; names that only begin
    // like other parts of the request.
    route GET "/a.b-c/straße" => async |_| text("here");
    route GET "/forms/:form_name" (form_name: String) => async |_, name: String| text(name);
    // PODE012, PODE013: one name in two routes; a catch-all at the end.
    route GET "/users/:id" (id: u64) => async |_, id| text(format!("{id}"));
    route GET "/users/:id/files/*rest" (id: u64, rest: String) => async |_, id, rest| text(format!("{id} {rest}"));
    // PODE026, PODE028: a bracket that encloses no name; a list of one.
    route GET "/matrix[0]" => async |_| text("here");
    route PUT "/shop/:id" (id: u64) { origins: pages_of(["https://shop.example"]) } => async |_, id| text(format!("{id}"));
    // PODE027: one option of two routes.
    route PUT "/twice" { origins: AnyPage } => async |_| ();
    // PODE014: only the first segment is reserved.
    route GET "/about/_pode" => async |_| text("about");
    // PODE015, PODE016, PODE017: each method once for each path.
    route PATCH, PUT "/users/:id" (id: u64) => async |_, id| text(format!("{id}"));
    route POST "/users/:id" (id: u64) => async |_, id| text(format!("{id}"));
    // PODE018: the more specific one wins.
    route GET "/users/me" => async |_| text("me");
    route GET "/*rest" (rest: String) => async |_, rest: String| text(rest);
    // PODE019: it is reached at the other endpoint.
    route GET "/" => async |_| text("outer");
    route GET "/" { endpoint: inner } => async |_| text("inner");
    // PODE020: after another literal, another name; advice can be silenced.
    route GET "/groups/:name" (name: String) => async |_, name: String| text(name);
    #[allow(deprecated)]
    route DELETE "/groups/:group" (group: String) => async |_, group: String| text(group);
    // PODE021: the parameters of its own path; another server has none.
    route GET "/people/:id" => redirect "/users/:id";
    route GET "/times/:id" => redirect "/users?at=12:30&by=:name#:id_of";
    route GET "/elsewhere/:id" => redirect "//example.org/:name";
    // A function of any type, one that makes a handler, one that is boxed.
    route GET "/any/:id" (id: u64) => shown;
    route GET "/any/:id/own" (id: u64) => named::<u64>;
    route GET "/made" => made();
    route GET "/made/of" => made_of::<u8>();
    route GET "/boxed" => BOXED;
    route GET "/given" => given;
    route GET "/given/by" => by();
    // PODE065: a port that is the scheme's default; words that need no `use`.
    route PUT "/shop" { origins: pages_of(["https://Shop.example:443"]) } => async |_| ();
    route PUT "/open" { origins: AnyPage } => async |_| ();
    // PODE022, PODE023, PODE024: side by side, and a route under a mount.
    mount "/api" pode::warp::any().map(|| "api");
    mount "/apis" pode::warp::any().map(|| "apis");
    route GET "/api/own" => async |_| text("own");
}

type Answer = std::pin::Pin<Box<dyn Future<Output = Result<(), EventError>> + Send>>;

const BOXED: fn(WebEvent) -> Answer = |_| Box::pin(async { Ok(()) });

async fn shown(_: WebEvent, id: impl ToString) -> impl Reply {
    text(id.to_string())
}

async fn named<T: ToString>(event: WebEvent, id: T) -> impl Reply {
    shown(event, id).await
}

fn made() -> impl Fn(WebEvent) -> Answer {
    BOXED
}

fn made_of<T: Default + ToString + 'static>() -> impl Fn(WebEvent) -> Answer {
    |_| Box::pin(async { Err(EventError::new(400, T::default().to_string())) })
}

#[test]
fn can_be_made() {
    let _ = routes(BOXED, || BOXED);
}
