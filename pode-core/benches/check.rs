//! What the check stage costs: 200 routes, 50 pages of some 8 KiB that ask for
//! them, and 20 scripts.
//!
//! The macro is built without optimisation while developing, so both are worth
//! a look:
//!
//! ```text
//! cargo bench -p pode-core --features check --bench check
//! cargo bench -p pode-core --features check --bench check --profile dev
//! ```

#![allow(missing_docs, reason = "a program")]

use std::time::{Duration, Instant};

use pode_core::check::check;
use pode_core::model::{
    Action, Argument, Endpoint, File, Folder, Head, Level, Name, Place, Public, Route, Server,
    Signal, Source, Views,
};
use pode_core::{Method, Protocol, RoutePath};

const ROUTES: usize = 200;
const PAGES: usize = 50;
const SCRIPTS: usize = 20;
const ROUNDS: usize = 31;

fn main() {
    let server = server();
    let found = check(&server);
    assert!(found.is_empty(), "the server is sound: {found:#?}");
    let mut took: Vec<Duration> = (0..ROUNDS).map(|_| time(&server)).collect();
    took.sort();
    let (lower, median, upper) = (took[ROUNDS / 4], took[ROUNDS / 2], took[ROUNDS * 3 / 4]);
    let bytes: usize = server.views[0].folder.files().map(size).sum();
    println!(
        "checking {ROUTES} routes, {PAGES} pages ({bytes} bytes) and {SCRIPTS} scripts: {median:.1?} (quartiles {lower:.1?} and {upper:.1?}); goal: under 50 ms"
    );
}

fn time(server: &Server) -> Duration {
    let start = Instant::now();
    std::hint::black_box(check(std::hint::black_box(server)));
    start.elapsed()
}

fn size(file: &File) -> usize {
    file.text.as_ref().map_or(0, String::len)
}

fn server() -> Server {
    let endpoint = |protocol| Endpoint {
        head: head(),
        name: None,
        protocol,
        protocol_place: Place(0),
        bind: "127.0.0.1:8090".parse().ok(),
        address_place: Place(0),
        certificate: None,
        client_certificate: None,
        limits: Vec::new(),
    };
    let files = |count: usize, file: fn(usize) -> File| {
        let mut files: Vec<File> = (0..count).map(file).collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        let path = Name { text: "folder".to_owned(), place: Place(0) };
        let (unfit, siblings) = (Vec::new(), Vec::new());
        Folder { path, files: Some(files), unfit, siblings, is_file: false }
    };
    let folder = files(PAGES, page);
    let templates = folder.files().map(|file| file.path.clone()).collect();
    Server {
        endpoints: vec![endpoint(Protocol::Http), endpoint(Protocol::Ws)],
        views: vec![Views { head: head(), folder, templates }],
        publics: vec![Public {
            head: head(),
            prefix: RoutePath::root(),
            prefix_place: Place(0),
            folder: files(SCRIPTS, script),
        }],
        routes: (0..ROUTES).map(route).collect(),
        signals: (0..20).map(signal).collect(),
        ..Server::default()
    }
}

/// Every fourth shows a page; the others have parameters.
fn route(number: usize) -> Route {
    let (path, action) = match number % 4 {
        0 => (
            format!("/pages/{number}/:id/:name"),
            Action::View(name(format!("page{}", number / 4))),
        ),
        _ => (format!("/things/{number}/:id/parts/:part"), Action::Handler),
    };
    let path: RoutePath = path.parse().expect("it is a path");
    let taken = path.parameters().map(|parameter| Argument {
        name: name(parameter.to_owned()),
        source: Source::Path,
        integer: None,
    });
    Route {
        head: head(),
        methods: vec![(if number % 4 < 2 { Method::Get } else { Method::Post }, Place(0))],
        arguments: taken.collect(),
        path,
        path_place: Place(0),
        action,
        endpoints: Vec::new(),
        limits: Vec::new(),
    }
}

fn signal(number: usize) -> Signal {
    Signal {
        head: head(),
        name: name(format!("SIGNAL_{number}")),
        path: format!("/signals/{number}").parse().expect("it is a path"),
        path_place: Place(0),
        arguments: Vec::new(),
        receiver: None,
        level: Level::Name,
        endpoints: Vec::new(),
        capacity_messages: None,
        history_messages: Some(0),
        presence: Some(0),
        presence_grace: None,
        history_needs: Vec::new(),
        latest_by: None,
    }
}

/// A page with links to fifty routes, some text, and a script.
fn page(number: usize) -> File {
    let link = |route: usize| match route % 4 {
        0 => format!("<li><a href=\"/pages/{route}/1/ada?from={number}\">Page {route}</a></li>\n"),
        1 => format!("<li><a href=\"/things/{route}/{{{{ id }}}}/parts/1\">Thing</a></li>\n"),
        _ => format!(
            "<form action=\"/things/{route}/1/parts/2\" method=\"post\"><button>Go</button></form>\n"
        ),
    };
    let links: String = (0..50).map(|index| link((index * 7 + number) % ROUTES)).collect();
    let text = "<p class=\"text\">Water the peas, {{ name }}, and mind the <b>snails</b>.</p>\n";
    let script = format!("<script>\n{}</script>\n", code(number));
    let page = format!(
        "<!doctype html>\n<title>Page</title>\n<ul>{links}</ul>\n{}{script}",
        text.repeat(40)
    );
    File { path: format!("page{number}.html"), text: Some(page) }
}

fn script(number: usize) -> File {
    File { path: format!("script{number}.js"), text: Some(code(number).repeat(20)) }
}

fn code(number: usize) -> String {
    let signal = number % 20;
    format!(
        "// Listens, and asks for more.\n\
         function listen{number}(each) {{\n  \
           const socket = new WebSocket(`ws://${{location.host}}/signals/{signal}`);\n  \
           socket.onmessage = ({{ data }}) => each(JSON.parse(data).value / 2, /[\"']/.test(data));\n  \
           return fetch(`/things/1/${{each.id}}/parts/` + number, {{ headers: {{ accept: 'text/html' }} }});\n\
         }}\n"
    )
}

fn head() -> Head {
    Head { index: 0, noun: Place(0), cfg: None }
}

fn name(text: String) -> Name {
    Name { text, place: Place(0) }
}
