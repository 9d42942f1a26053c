//! Whatever is typed, the macro doesn't panic, and it answers with items.
//!
//! Inputs are made of what the project has: the snapshots, the mistakes of
//! `tests/ui` and the examples, changed here and there. `PROPTEST_CASES` sets
//! how many of each kind are tried.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::sample::Index;
use quote::quote;

use crate::diagnostic::Mistakes;
use crate::syntax::{self, Action, Kind, Written};

fn config(cases: u32) -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases, ..config },
    }
}

proptest! {
    #![proptest_config(config(100_000))]
    #[test]
    fn changed_inputs(input in changed_input()) {
        check(input.0);
    }
}

proptest! {
    #![proptest_config(config(100_000))]
    #[test]
    fn filled_shapes(input in filled_shape()) {
        check(input.0);
    }
}

proptest! {
    #![proptest_config(config(100_000))]
    #[test]
    fn random_tokens(input in random_input()) {
        check(input.0);
    }
}

#[track_caller]
fn check(input: TokenStream) {
    let expansion = crate::compile(input.clone());
    if syn::parse2::<syn::File>(expansion.clone()).is_ok() {
        return;
    }
    // Handlers pass through as they are, and rustc says what is wrong in them.
    // They stand in the function's body, so the items around it are sound.
    let items = without_bodies(expansion.clone());
    assert!(syn::parse2::<syn::File>(items).is_ok(), "the expansion is no items");
    let written = syntax::parse(input, &mut Mistakes::default());
    let half_typed = written.is_some_and(|written| handlers(&written).any(is_no_expression));
    assert!(half_typed, "the function has no body");
}

fn handlers(written: &Written) -> impl Iterator<Item = &TokenStream> {
    written.declarations.iter().filter_map(|declaration| match &declaration.kind {
        Kind::Route(route) => match &route.action {
            Action::Handler(handler) => Some(handler),
            Action::View { .. } | Action::Redirect { .. } => None,
        },
        Kind::Timer(timer) => Some(&timer.handler),
        Kind::Schedule(schedule) => Some(&schedule.handler),
        _ => None,
    })
}

/// Tells whether it can't be an argument of a call, as which it is written.
fn is_no_expression(handler: &TokenStream) -> bool {
    syn::parse2::<syn::ExprCall>(quote! { call(#handler) }).is_err()
}

/// Empties the braces at the top level, which are those of the function.
fn without_bodies(expansion: TokenStream) -> TokenStream {
    let emptied = expansion.into_iter().map(|token| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
            TokenTree::Group(Group::new(Delimiter::Brace, TokenStream::new()))
        }
        token => token,
    });
    emptied.collect()
}

/// An input, shown as it would be typed.
struct Input(TokenStream);

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", visible(self.0.clone()))
    }
}

/// Shows groups without delimiters as `none! { … }`.
fn visible(tokens: TokenStream) -> TokenStream {
    let shown = tokens.into_iter().map(|token| match token {
        TokenTree::Group(group) => {
            let inner = visible(group.stream());
            match group.delimiter() {
                Delimiter::None => quote! { none! { #inner } },
                delimiter => TokenTree::Group(Group::new(delimiter, inner)).into(),
            }
        }
        token => token.into(),
    });
    shown.collect()
}

/// Tokens in a row, so that a change may begin inside of a group and end
/// outside.
#[derive(Clone)]
enum Flat {
    Open(Delimiter),
    Close,
    Token(TokenTree),
}

fn flat(tokens: TokenStream, row: &mut Vec<Flat>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                row.push(Flat::Open(group.delimiter()));
                flat(group.stream(), row);
                row.push(Flat::Close);
            }
            token => row.push(Flat::Token(token)),
        }
    }
}

/// Makes groups again: what closes nothing is left out, and what is still open
/// at the end is closed there.
fn grouped(row: Vec<Flat>) -> TokenStream {
    let mut open = vec![(Delimiter::None, Vec::new())];
    let close = |open: &mut Vec<(Delimiter, Vec<TokenTree>)>| {
        if let Some((delimiter, inner)) = open.pop() {
            let group = TokenTree::Group(Group::new(delimiter, inner.into_iter().collect()));
            match open.last_mut() {
                Some((_, outer)) => outer.push(group),
                None => open.push((Delimiter::None, vec![group])),
            }
        }
    };
    for flat in row {
        match flat {
            Flat::Open(delimiter) => open.push((delimiter, Vec::new())),
            Flat::Close if open.len() > 1 => close(&mut open),
            Flat::Close => {}
            Flat::Token(token) => {
                if let Some((_, inner)) = open.last_mut() {
                    inner.push(token);
                }
            }
        }
    }
    while open.len() > 1 {
        close(&mut open);
    }
    open.into_iter().flat_map(|(_, tokens)| tokens).collect()
}

/// What is done to an input. Places are taken from those there are.
#[derive(Clone, Debug)]
enum Change {
    Delete { at: Index, count: usize },
    Duplicate { at: Index, count: usize },
    Swap { one: Index, other: Index },
    Replace { at: Index, by: Index },
    Insert { at: Index, what: Index },
    Enclose { at: Index, count: usize, by: Delimiter },
    CutOff { at: Index },
    Splice { at: Index, from: Index, begin: Index, count: usize },
}

fn changed_input() -> impl Strategy<Value = Input> {
    let (at, count) = (any::<Index>, || 1..6_usize);
    let delimiter = prop_oneof![
        Just(Delimiter::None),
        Just(Delimiter::Parenthesis),
        Just(Delimiter::Brace),
        Just(Delimiter::Bracket),
    ];
    let change = prop_oneof![
        2 => (at(), count()).prop_map(|(at, count)| Change::Delete { at, count }),
        1 => (at(), count()).prop_map(|(at, count)| Change::Duplicate { at, count }),
        1 => (at(), at()).prop_map(|(one, other)| Change::Swap { one, other }),
        4 => (at(), at()).prop_map(|(at, by)| Change::Replace { at, by }),
        3 => (at(), at()).prop_map(|(at, what)| Change::Insert { at, what }),
        1 => (at(), count(), delimiter)
            .prop_map(|(at, count, by)| Change::Enclose { at, count, by }),
        1 => at().prop_map(|at| Change::CutOff { at }),
        2 => (at(), at(), at(), 1..16_usize)
            .prop_map(|(at, from, begin, count)| Change::Splice { at, from, begin, count }),
    ];
    let changes = prop::collection::vec(change, 1..8);
    (any::<Index>(), prop::bool::weighted(0.2), changes).prop_map(|(input, with_head, changes)| {
        CORPUS.with(|corpus| {
            let mut row = input.get(corpus).clone();
            let is_semicolon = |flat: &Flat| match flat {
                Flat::Token(TokenTree::Punct(punct)) => punct.as_char() == ';',
                _ => false,
            };
            // Nothing else is read where the head is broken.
            let head = row.iter().position(is_semicolon).filter(|_| !with_head);
            let mut rest = row.split_off(head.map_or(0, |semicolon| semicolon + 1));
            changes.iter().for_each(|change| apply(change, &mut rest, corpus));
            row.extend(rest);
            Input(grouped(row))
        })
    })
}

fn apply(change: &Change, row: &mut Vec<Flat>, corpus: &[Vec<Flat>]) {
    let length = row.len();
    if length == 0 {
        return;
    }
    let end = |begin: usize, count: usize| (begin + count).min(length);
    match change {
        Change::Delete { at, count } => {
            let at = at.index(length);
            row.drain(at..end(at, *count));
        }
        Change::Duplicate { at, count } => {
            let at = at.index(length);
            let again = row[at..end(at, *count)].to_vec();
            row.splice(at..at, again);
        }
        Change::Swap { one, other } => row.swap(one.index(length), other.index(length)),
        Change::Replace { at, by } => {
            let at = at.index(length);
            row.splice(at..=at, odd(by));
        }
        Change::Insert { at, what } => {
            let at = at.index(length);
            row.splice(at..at, odd(what));
        }
        Change::Enclose { at, count, by } => {
            let at = at.index(length);
            row.insert(end(at, *count), Flat::Close);
            row.insert(at, Flat::Open(*by));
        }
        Change::CutOff { at } => row.truncate(at.index(length)),
        Change::Splice { at, from, begin, count } => {
            let other = from.get(corpus);
            let begin = begin.index(other.len());
            let piece = other[begin..(begin + count).min(other.len())].to_vec();
            let at = at.index(length);
            row.splice(at..at, piece);
        }
    }
}

/// Declarations as they should be, but for what stands at each `X`.
fn filled_shape() -> impl Strategy<Value = Input> {
    let head = prop_oneof![9 => Just("server example;"), 1 => prop::sample::select(HEADS)];
    let shapes = prop::collection::vec(prop::sample::select(SHAPES), 1..4);
    // One thing mostly; sometimes nothing, or more than fits.
    let count = prop_oneof![8 => Just(1_usize), 1 => Just(0), 1 => Just(2)];
    let fillings = prop::collection::vec((count, any::<[Index; 2]>()), 8);
    (head, shapes, fillings).prop_map(|(head, shapes, fillings)| {
        let mut fillings = fillings.iter().cycle();
        let mut row = Vec::new();
        flat(tokens(&format!("{head} {}", shapes.concat())), &mut row);
        let filled = row.into_iter().flat_map(|flat| match (&flat, fillings.clone().next()) {
            (Flat::Token(TokenTree::Ident(word)), Some((count, filling))) if word == "X" => {
                fillings.next();
                filling[..*count].iter().flat_map(odd).collect()
            }
            _ => vec![flat],
        });
        Input(grouped(filled.collect()))
    })
}

const HEADS: &[&str] =
    &["server X;", "X server example;", "server example(X: X);", "server example { X: X };"];

const SHAPES: &[&str] = &[
    "X;",
    "#[X] route GET \"/\" => a;",
    "#[cfg(X)] X",
    "endpoint X;",
    "endpoint http X;",
    "endpoint X X X;",
    "endpoint a http X { X };",
    "endpoint http 0 { X: X };",
    "endpoint https X { certificate: X };",
    "endpoint https X { certificate: pfx(X) };",
    "endpoint https X { certificate: pfx(X, X).at_run_time() };",
    "endpoint https X { certificate: pem(X, X) };",
    "views X;",
    "public X;",
    "public X X { X: X };",
    "public \"/a\" \"src\" { cache_age: X };",
    "mount X X;",
    "mount \"/a\" X;",
    "route X;",
    "route X X => X;",
    "route GET, X \"/\" => a;",
    "route GET \"/:id\" (X) => a;",
    "route GET \"/:id\" (id: X) => X;",
    "route GET \"/:id\" (X: u64) { X: X } => a;",
    "route POST X (X: X, X: X) => a;",
    "route GET \"/\" { endpoint: X } => a;",
    "route GET \"/\" { endpoint: [X, X] } => a;",
    "route GET \"/:id\" => view X;",
    "route GET \"/:id\" => redirect X;",
    "route GET \"/\" => X X;",
    "signal X;",
    "signal X: X = X;",
    "signal A: X = \"/\" { X: X };",
    "signal A: u8 = \"/\" { endpoint: X, capacity_messages: X };",
    "signal A: X -> X = X => X;",
    "state X;",
    "state X = X;",
    "state u8 = X;",
    "timer X every X => X;",
    "timer \"a\" every X { X } => a;",
    "timer \"a\" every X { limit: X } => X;",
    "timer \"a\" X X => X;",
    "schedule X cron X => X;",
    "schedule \"a\" cron X, X { X: X } => X;",
    "schedule \"a\" X X => X;",
];

/// Tokens in any order; mostly behind a head, since nothing is read without.
fn random_input() -> impl Strategy<Value = Input> {
    let row = prop::collection::vec(any::<Index>(), 0..24);
    let noun = prop::option::of(prop::sample::select(&syntax::NOUNS));
    (prop::bool::weighted(0.9), noun, row).prop_map(|(with_head, noun, row)| {
        let head = if with_head { "server example;" } else { "" };
        let mut all = Vec::new();
        flat(tokens(&format!("{head} {}", noun.unwrap_or(""))), &mut all);
        all.extend(row.iter().flat_map(odd));
        Input(grouped(all))
    })
}

/// Tokens that stand where they are least expected.
const ODD: &[&str] = &[
    // Words, of the language and of Rust.
    "server",
    "endpoint",
    "views",
    "public",
    "mount",
    "route",
    "signal",
    "state",
    "timer",
    "schedule",
    "http",
    "https",
    "ws",
    "wss",
    "GET",
    "POST",
    "HEAD",
    "view",
    "redirect",
    "every",
    "cron",
    "certificate",
    "pfx",
    "pem",
    "at_run_time",
    "id",
    "form",
    "json",
    "query",
    "body",
    "self",
    "Self",
    "crate",
    "super",
    "async",
    "await",
    "impl",
    "dyn",
    "for",
    "const",
    "as",
    "fn",
    "pub",
    "in",
    "type",
    "mut",
    "ref",
    "where",
    "unsafe",
    "move",
    "static",
    "if",
    "else",
    "match",
    "return",
    "true",
    "_",
    "r#route",
    "r#server",
    "r#type",
    "r#async",
    "größe",
    "r#größe",
    "名前",
    // Texts.
    r#""""#,
    r#""/""#,
    r#""a""#,
    r#""/a/:id/*rest""#,
    r#""/:form""#,
    r#""/:""#,
    r#""/*""#,
    r#""//""#,
    r#""/:größe""#,
    r#""/\u{0}""#,
    r#""/\u{202e}a""#,
    r##"r#"/"#"##,
    r#""/"suffix"#,
    r#""src/tests/folder""#,
    r#""src/tests/certificate/chain.pem""#,
    r#""..""#,
    r#"".""#,
    r#""\\""#,
    r#""*:8090""#,
    r#""127.0.0.1:0""#,
    r#""[::1]:80""#,
    r#""[::1""#,
    r#""ä:1""#,
    r#"":""#,
    r#""0 0 * * *""#,
    r#""* * 31 2 *""#,
    r#""@daily""#,
    r#""@größe""#,
    r#""page""#,
    r#""\
       continued""#,
    r#""größe ß \t""#,
    // Other literals.
    "0",
    "5s",
    "0s",
    "500ms",
    "1_000s",
    "1.5s",
    "1e3",
    "1e400",
    "1.",
    "5größe",
    "5_",
    "0xFF",
    "0xFFs",
    "0b1_s",
    "0o7h",
    "1u8",
    "1f32",
    "300u8",
    "8090",
    "80900",
    "99999999999999999999999999999999999999999999s",
    "18446744073709551615h",
    "340282366920938463463374607431768211456",
    "b\"bytes\"",
    "br#\"raw\"#",
    "c\"text\"",
    "'a'",
    "'\\''",
    "'ß'",
    "b'a'",
    "b'\\xFF'",
    "'a'suffix",
    // Punctuation.
    "=",
    "=>",
    "->",
    ";",
    ";;",
    ",",
    ":",
    "::",
    "#",
    "#[cfg(unix)]",
    "#[cfg]",
    "#![doc = \"a\"]",
    "/// Documented.\n",
    "#[doc = 5]",
    "!",
    "&",
    "&&",
    "..",
    "..=",
    "...",
    "<",
    ">",
    "<<",
    "|",
    "||",
    "@",
    "$",
    "?",
    "-",
    "+",
    "*",
    "'static",
    "'_",
    "'a",
    "()",
    "{}",
    "[]",
    "|_| ()",
    "async |_| ()",
    "(a: u64)",
    "{ a: 5s }",
    "{ endpoint: [a, b] }",
    "{ _: 5 }",
    "{ for: 5 }",
    "Vec<u8>",
    "Vec::<u8>",
    "Vec<Vec<u8>>",
    "<T as U>::V",
    "[u8; 3]",
    "dyn A + 'static",
    "!",
];

/// How many more there are that have no text of their own.
const ODDER: usize = 14;

/// Returns one of them, which may be several tokens.
fn odd(which: &Index) -> Vec<Flat> {
    let which = which.index(ODD.len() + ODDER);
    if which < ODD.len() {
        return POOL.with(|pool| pool[which].clone());
    }
    let joint = |character| TokenTree::Punct(Punct::new(character, Spacing::Joint));
    let token = match which - ODD.len() {
        0 => return vec![Flat::Open(Delimiter::Parenthesis)],
        1 => return vec![Flat::Open(Delimiter::Brace)],
        2 => return vec![Flat::Open(Delimiter::Bracket)],
        3 => return vec![Flat::Open(Delimiter::None)],
        4 => return vec![Flat::Open(Delimiter::None), Flat::Close],
        5..=7 => return vec![Flat::Close],
        // Macros make what can't be typed.
        8 => joint(';'),
        9 => joint(':'),
        10 => joint('='),
        11 => TokenTree::Literal(Literal::i64_suffixed(-5)),
        12 => TokenTree::Literal(Literal::f64_unsuffixed(-0.5)),
        _ => TokenTree::Ident(Ident::new_raw("signal", Span::call_site())),
    };
    vec![Flat::Token(token)]
}

thread_local! {
    // Tokens can't leave their thread.
    static CORPUS: Vec<Vec<Flat>> = corpus();
    static POOL: Vec<Vec<Flat>> = ODD.iter().map(|text| {
        let mut row = Vec::new();
        flat(tokens(text), &mut row);
        row
    }).collect();
}

fn tokens(text: &str) -> TokenStream {
    text.parse().unwrap_or_else(|error| panic!("{text:?} is not made of tokens: {error}"))
}

/// Reads every input that there is.
fn corpus() -> Vec<Vec<Flat>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut inputs = Vec::new();
    let mut add = |input: TokenStream| {
        let mut row = Vec::new();
        flat(input, &mut row);
        inputs.push(row);
    };
    for text in texts(&here.join("src/tests"), "txt") {
        add(tokens(&text));
    }
    let folders =
        ["syntax", "resolve", "check", "rustc", "pass"].map(|stage| format!("tests/ui/{stage}"));
    for folder in folders.iter().map(String::as_str).chain(["examples"]) {
        for program in texts(&here.join("..").join(folder), "rs") {
            add(invocation(tokens(&program)).expect("each declares a server"));
        }
    }
    inputs
}

fn texts(folder: &Path, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    // The same case is the same input wherever it is tried.
    files.sort();
    assert!(!files.is_empty(), "{folder:?} has inputs");
    files.iter().map(|file| fs::read_to_string(file).expect("it can be read")).collect()
}

/// Returns what stands between the braces of the first `pode_server!`.
fn invocation(program: TokenStream) -> Option<TokenStream> {
    let program: Vec<TokenTree> = program.into_iter().collect();
    program.windows(3).find_map(|tokens| match tokens {
        [TokenTree::Ident(name), TokenTree::Punct(_), TokenTree::Group(group)]
            if name == "pode_server" =>
        {
            Some(group.stream())
        }
        _ => None,
    })
}
