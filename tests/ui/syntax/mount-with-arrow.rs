use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    mount "/api" => api();
}

fn api() -> pode::warp::filters::BoxedFilter<(String,)> {
    unimplemented!()
}

fn main() {
    example();
}
