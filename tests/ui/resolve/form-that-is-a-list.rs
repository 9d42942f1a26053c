use pode::prelude::*;

pode_server! {
    server example;
    endpoint http "127.0.0.1:8090";
    route POST "/" (form: Vec<String>) => async |_, form: Vec<String>| text(form.concat());
}

fn main() {
    example();
}
