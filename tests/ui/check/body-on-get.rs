use pode::prelude::*;

#[derive(Deserialize)]
struct Search {
    words: String,
}

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route GET "/search" (form: Search) => async |_, form: Search| text(form.words);
}

fn main() {
    example();
}
