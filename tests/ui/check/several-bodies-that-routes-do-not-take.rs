use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    views "files/sends";
    route GET "/" => view "index";
    route POST "/form" (form: Draft) => async |_, draft: Draft| json(&draft);
    route POST "/json" (json: Draft) => async |_, draft: Draft| json(&draft);
    route POST "/photos" (multipart: Multipart) => async |_, _: Multipart| status(204);
}

#[derive(Serialize, Deserialize)]
struct Draft {
    text: String,
}

fn main() {
    let _ = example();
}
