//! A page with a way out; a link asks by GET, the route is POST.

use pode::prelude::*;

pode_server! {
    server news;
    endpoint http 8090;
    views "files/newcomer/page-link-to-post";
    route GET "/" => view "index";
    route POST "/logout" => async |_| redirect("/");
}

fn main() -> pode::Result {
    news().run_blocking()
}
