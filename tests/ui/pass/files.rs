//! Folders, files and pages: valid code that is close to a mistake.

#![deny(warnings)]

use pode::prelude::*;

pode_server! {
    server example;
    endpoint http 8090;
    endpoint ws   8090;
    endpoint https "localhost:8443" { certificate: self_signed() };
    // PODE070, PODE071, PODE072, PODE073: folders of folders, and a prefix.
    views "ui/files/sound/views";
    public "ui/files/sound/public";
    public "/static" "ui/files/plain";
    // PODE074, PODE075, PODE076, PODE077: its parts exist, or may be missing.
    route GET "/" => view "index";
    route GET "/users/:id" => view "users/one";
    // PODE078: routes and files side by side.
    route POST "/style.css" (body: String) => async |_, body: String| text(body);
    // PODE080, PODE081, PODE082, PODE083: everything that the pages request
    // exists.
    route GET "/users/:id/photo" (id: u64) => async |_, id| text(format!("{id}"));
    route GET "/search" => async |_| text("found");
    route POST, PUT "/users/:id" (id: u64) => async |_, id| text(format!("{id}"));
    // PODE151, PODE152, PODE153: bodies, methods and values that the routes take.
    route POST "/notes" (multipart: Multipart) => async |_, _: Multipart| status(204);
    route PATCH "/notes" (data: Note) => async |_, _: Note| status(204);
    signal NEWS: String = "/news";
    signal ROOM: String = "/rooms/:room" (room: String);
    // PODE025: what a redirect leads to answers GET, as far as is known.
    route GET "/people/:id" => redirect "/users/:id";
    route GET "/pictures/*name" => redirect "/static/*name";
    route POST "/searches" => redirect "/search?for=peas#results";
    route GET "/elsewhere" => redirect "https://example.org/abuot";
    // PODE086: the path gives what is needed, and what may be missing is guarded.
    // PODE088, PODE089, PODE150, PODE154: values in scripts and quotes, words that there
    // are, and parts whose names are known.
    route GET "/hello/:name" => view "hello";
}

#[derive(Deserialize)]
struct Note {}

/// PODE086, PODE087: by any name that serde gives, or may give.
#[derive(Serialize, View)]
#[view("hello", folder = "ui/files/sound/views")]
#[serde(rename_all = "camelCase")]
struct Hello<'name, Friend> {
    #[serde(rename(serialize = "name"))]
    who: &'name str,
    page_title: Option<String>,
    friends: Vec<Friend>,
    #[serde(skip)]
    _unused: u8,
}

#[derive(Serialize, View)]
#[view("hello", folder = "ui/files/sound/views")]
struct Flat {
    #[serde(flatten)]
    all: std::collections::HashMap<String, String>,
}

#[derive(Serialize, View)]
#[view("parts/head", folder = "ui/files/sound/views")]
struct Head;

pode_server! {
    // PODE085: a page comes by either protocol, or from a proxy.
    server both;
    endpoint http  8092;
    endpoint ws    8092;
    endpoint https 8444 { certificate: self_signed() };
    endpoint wss   8444;
    public "ui/files/either";
    signal BOTH: String = "/news";
}

pode_server! {
    server behind_a_proxy;
    endpoint http 8093 { trusted_proxies: ["127.0.0.1"] };
    endpoint ws   8093;
    public "ui/files/either";
    signal BEHIND: String = "/news";
}

pode_server! {
    // PODE155: signals that keep messages, or may do so.
    server resumed;
    endpoint http 8094;
    endpoint ws   8094;
    views "ui/files/resumes";
    signal RESUMED: String = "/chat" { history_messages: 100 };
    signal RESUMED_ROOM: String = "/rooms/:room" (room: String) { history_messages: KEPT };
    route GET "/hello/:name" => view "index";
}

const KEPT: usize = 0;

#[derive(Serialize, View)]
#[view("index", folder = "ui/files/resumes")]
struct Resumes {
    name: String,
}

pode_server! {
    // PODE084: the user's own policy.
    server lenient { content_security_policy: "script-src 'self' 'unsafe-inline'" };
    endpoint http 8091;
    views "ui/files/attributes";
    route GET "/" => view "index";
}

#[test]
fn can_be_made() {
    let _ = (example(), lenient(), NEWS, ROOM, both(), BOTH, behind_a_proxy(), BEHIND);
    let _ = (resumed(), RESUMED, RESUMED_ROOM);
    let hello = Hello { who: "Ada", page_title: None, friends: vec![7], _unused: 0 };
    let _: [Box<dyn FnOnce(WebEvent) -> _>; 4] = [
        Box::new(|event| hello.into_response(&event)),
        Box::new(|event| Flat { all: [].into() }.with_status(201).into_response(&event)),
        Box::new(|event| Head.into_response(&event)),
        Box::new(|event| Resumes { name: String::new() }.into_response(&event)),
    ];
}
