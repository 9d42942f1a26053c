//! A server at port 8090; the port was written as an option of the server.
//! Told 2 times: the option is none, and the route lacks an endpoint.

use pode::prelude::*;

pode_server! {
    server news { port: 8090 };
    route GET "/" => async |_| text("hello");
}

fn main() -> pode::Result {
    news().run_blocking()
}
