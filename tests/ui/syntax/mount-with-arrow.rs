use pode::prelude::*;
use pode::warp::Filter;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    mount "/api" => api();
}

fn api() -> pode::warp::filters::BoxedFilter<(&'static str,)> {
    pode::warp::any().map(|| "hello").boxed()
}

fn main() {
    example();
}
