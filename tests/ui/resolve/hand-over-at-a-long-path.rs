use pode::prelude::*;

pode_server! {
    server example { hand_over: "a-folder-with-a-long-name/a-folder-with-a-long-name/a-folder-with-a-long-name/a-folder-with-a-long-name.sock" };
    endpoint ws "127.0.0.1:8091";
    signal NEWS: String = "/news";
}

fn main() {
    let _ = (example(), NEWS);
}
