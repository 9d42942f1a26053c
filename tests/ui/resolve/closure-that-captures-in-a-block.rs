use pode::prelude::*;

pode_server! {
    server example(greeting: String);
    endpoint http "127.0.0.1:8090";
    route GET "/" => |_| async move { text(greeting.clone()) };
}

fn main() {
    let _ = example("hello".to_owned());
}
