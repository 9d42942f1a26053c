use pode::prelude::*;

struct Settings {
    redis_url: Option<String>,
}

pode_server! {
    server example(settings: Settings);
    endpoint ws "127.0.0.1:8091";
    signal NEWS: String = "/news";
    backplane redis settings.redis_url;
}

fn main() {
    let _ = (example, NEWS);
}
