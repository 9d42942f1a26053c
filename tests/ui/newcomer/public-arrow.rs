//! Files under `/static`; an arrow was written between prefix and folder.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    public "/static" => "files/plain";
}

fn main() -> pode::Result {
    news().run_blocking()
}
