//! A warp filter under `/api`; an arrow was written as in a route.

use pode::prelude::*;
use pode::warp::{self, Filter};

pode_server! {
    server house;
    endpoint http 8090;
    mount "/api" => api();
}

fn api() -> impl Filter<Extract = (String,), Error = warp::Rejection> + Clone + Send + Sync + 'static {
    warp::path!("double" / u32).map(|number: u32| (2 * number).to_string())
}

fn main() -> pode::Result {
    house().run_blocking()
}
