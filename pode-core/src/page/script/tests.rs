use super::*;

#[track_caller]
fn check(code: &str, expected: &[(Asks, &str)]) {
    let found = requests(code);
    let found: Vec<_> = found.iter().map(|found| (found.asks, found.shown())).collect();
    let expected: Vec<_> =
        expected.iter().map(|(asks, address)| (*asks, address.to_string())).collect();
    assert_eq!(found, expected, "{code}");
}

const GET: Asks = Asks::By(Method::Get);

#[test]
fn calls_are_found_and_comments_and_texts_are_not() {
    check("fetch('/a'); // fetch('/no')\n/* fetch('/no') */", &[(GET, "/a")]);
    check("window.fetch(\"/a\"); cache.fetch('/no'); 'fetch(\"/no\")'", &[(GET, "/a")]);
    check("x = /['\"`/]/; fetch('/a'); y = 4 / 2; fetch('/b')", &[(GET, "/a"), (GET, "/b")]);
    check("function fetch(x) {} WebSocket('/no')", &[]);
    check(
        "new EventSource('/a'); new window.WebSocket('/b')",
        &[(GET, "/a"), (Asks::BySocket, "/b")],
    );
    assert_eq!(requests("\n\n fetch('/a')")[0].line, 3);
}

#[test]
fn texts_are_joined_and_the_rest_is_unknown() {
    check("fetch('/a/' + id + '/b')", &[(GET, "/a/…/b")]);
    check("fetch(`/a/${ids[`${0}`]}/b`)", &[(GET, "/a/…/b")]);
    check("fetch('/a'.concat(b), {})", &[(GET, "…")]);
    check("fetch(x ? '/a' : '/b')", &[(GET, "…")]);
    check("fetch(new URL('/a', b))", &[(GET, "…")]);
    check("const A = '/a', B = 1;\nfetch(A + '/b'); fetch(B)", &[(GET, "/a/b"), (GET, "…")]);
    check("const A = `/a`\nlet b = A\nfetch(A)", &[(GET, "/a")]);
    check("{ const A = '/a' } { const A = '/b' } fetch(A)", &[(GET, "…")]);
    check("fetch('\\/a\\u0062')", &[(GET, "/a…0062")]);
}

#[test]
fn the_host_of_the_page_is_known_as_such() {
    let found = requests(
        "new WebSocket(`ws://${location.host}/a`); new WebSocket('ws://' + window.location.hostname + ':1/b'); fetch(location.origin + '/c')",
    );
    let addresses: Vec<_> = found.into_iter().map(|found| found.address).collect();
    assert_eq!(addresses, ["ws://\u{e000}/a", "ws://\u{e001}:1/b", "\u{fffc}//\u{e000}/c"]);
}

#[test]
fn fetch_says_how_it_asks() {
    let post = Asks::By(Method::Post);
    check("fetch('/a', { method: 'post', body })", &[(post, "/a")]);
    check("fetch('/a', { headers: { method: 'x' }, 'method': `POST` })", &[(post, "/a")]);
    check("fetch('/a', { method })", &[(Asks::ByAny, "/a")]);
    check("fetch('/a', { method: x ? 'A' : 'B' })", &[(Asks::ByAny, "/a")]);
    check("fetch('/a', { ...options })", &[(Asks::ByAny, "/a")]);
    check("fetch('/a', options)", &[(Asks::ByAny, "/a")]);
    check("fetch('/a', { cache: 'no-store' })", &[(GET, "/a")]);
}

#[test]
fn fetch_says_what_it_sends() {
    for (options, expected) in [
        ("body: JSON.stringify({ a: [1, f(2)] }), x", Sends::Text),
        ("body: 'a', headers: { accept: 'b' }", Sends::Text),
        ("body: new FormData(form)", Sends::Parts),
        ("'body': new URLSearchParams({ a })", Sends::Form),
        ("headers: { 'Content-Type': 'application/json; charset=utf-8' }, body", Sends::Json),
        ("headers: { \"content-type\": `application/x-www-form-urlencoded` }", Sends::Form),
        ("body", Sends::Unknown),
        ("body: a", Sends::Unknown),
        ("body: JSON.stringify(a) + b", Sends::Unknown),
        ("body: 'a' + b", Sends::Unknown),
        ("body: new FormData(form).get('a')", Sends::Unknown),
        ("body: JSON.stringify(a), headers", Sends::Unknown),
        ("body: JSON.stringify(a), headers: h", Sends::Unknown),
        ("body: JSON.stringify(a), headers: { ...h }", Sends::Unknown),
        ("body: JSON.stringify(a), headers: { [h]: 'b' }", Sends::Unknown),
        ("body: JSON.stringify(a), headers: { 'content-type': h }", Sends::Unknown),
        ("body: JSON.stringify(a), headers: { 'content-type': 'a' + h }", Sends::Unknown),
        ("body: JSON.stringify(a), ...more", Sends::Unknown),
        ("body: JSON.stringify(a", Sends::Unknown),
    ] {
        let code = format!("fetch('/a', {{ method: 'POST', {options} }})");
        assert_eq!(requests(&code)[0].sends, expected, "{options}");
    }
}

#[test]
fn some_methods_are_sent_as_they_are_written() {
    check("fetch('/a', { method: 'put' })", &[(Asks::By(Method::Put), "/a")]);
    check("fetch('/a', { method: 'patch' })", &[(Asks::InVain(Method::Patch), "/a")]);
    check("fetch('/a', { method: 'PATCH' })", &[(Asks::By(Method::Patch), "/a")]);
}

#[test]
fn imports_and_requests_by_xml_http_request_are_found() {
    check(
        "import './a'; import x, { y as z } from \"../b\"; export * from '/c'; await import('./d')",
        &[(GET, "./a"), (GET, "../b"), (GET, "/c"), (GET, "./d")],
    );
    check(
        "import 'no'; import.meta; x.import('./no'); import(`./${no}`); import('./no' + x); export const from = './no'; export { a }; b = './no'",
        &[],
    );
    check("export default from './a'", &[(GET, "./a")]);
    check(
        "request.open('post', '/a/' + id, true); request.open('patch', '/b'); window.open('/no'); db.open('x', 1); open('GET', '/no')",
        &[(Asks::By(Method::Post), "/a/…"), (Asks::InVain(Method::Patch), "/b")],
    );
}

#[test]
fn signals_of_the_client_module_are_found() {
    let socket = Asks::BySocket;
    check(
        "import { signal } from '/_pode/pode.js'; signal('/a').on(draw); x.signal('/no'); const s = signal(`/b/${id}`, {})",
        &[(GET, "/_pode/pode.js"), (socket, "/a"), (socket, "/b/…")],
    );
    check(
        "import x, { a, signal as connect } from '../_pode/pode.js'; connect('/a'); signal('/no')",
        &[(GET, "../_pode/pode.js"), (socket, "/a")],
    );
    check("import { signal } from './other.js'; signal('/no')", &[(GET, "./other.js")]);
    check("function signal() {} signal('/no')", &[]);
}

#[test]
fn what_is_cut_off_is_read_as_far_as_it_goes() {
    for code in [
        "fetch(",
        "fetch('",
        "fetch(`${",
        "fetch('/a', {",
        "new WebSocket(`${a",
        "const A =",
        "/",
        "/[",
        "import",
        "import(",
        "import {",
        "import a from",
        "import { signal as",
        "a.open('GET',",
        "fetch('/a', { headers: {",
        "'\\",
    ] {
        requests(code);
    }
}
