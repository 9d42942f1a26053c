//! Inputs: the project's own with changed tokens, declarations filled with
//! arbitrary tokens, and tokens in random order.

use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use proptest::prelude::*;
use proptest::sample::Index;

use super::odd::odd;
use super::row::{Flat, Input, flat, grouped, tokens};
use crate::syntax;

/// A change of an input. Places are taken from the existing ones.
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

pub(super) fn changed_input() -> impl Strategy<Value = Input> {
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
            // Nothing else is parsed where the head is broken.
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

/// Valid declarations, except for the tokens at each `X`.
pub(super) fn filled_shape() -> impl Strategy<Value = Input> {
    let head = prop_oneof![9 => Just("server example;"), 1 => prop::sample::select(HEADS)];
    let shapes = prop::collection::vec(prop::sample::select(SHAPES), 1..4);
    // Usually one token; sometimes none, or too many.
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
    "endpoint https X { certificate: pem(X, X).password(X) };",
    "endpoint https X { certificate: [pem(X, X), X, pem(X, X)] };",
    "endpoint https X { client_certificate: required(X) };",
    "backplane X;",
    "backplane X X X;",
    "backplane redis X { X: X };",
    "backplane redis \"redis://a\" { name: X, kept_messages: X };",
    "views X;",
    "public X;",
    "public X X { X: X };",
    "public \"/a\" \"src\" { cache_age: X };",
    "operations X;",
    "operations { X: X };",
    "operations { endpoint: X };",
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
    "signal A: u8 -> X = \"/\" { rebroadcast: X } => rebroadcast X;",
    "signal A: u8 -> u8 = \"/\" { level: X, X: X } => X;",
    "signal A: u8 = \"/a/:b/:c\" (X);",
    "signal A: u8 -> u8 = \"/a/:b/:c\" (b: X, X: X) => X; on connect A => X;",
    "signal A: u8 = X (X: X) => X;",
    "on X;",
    "on X X => X;",
    "on connect A => X; signal A: X = X;",
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
    "upstream X;",
    "upstream X: X = X => X;",
    "upstream A: X -> X = X { X: X } => a;",
    "upstream A: u8 = X { on_connect: X } => X;",
];

/// Tokens in random order; usually after a head, since nothing is parsed
/// without one.
pub(super) fn random_input() -> impl Strategy<Value = Input> {
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

thread_local! {
    // Tokens can't leave their thread.
    static CORPUS: Vec<Vec<Flat>> = corpus();
}

/// Reads every input of the project.
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
    for folder in folders.iter().map(String::as_str).chain(["examples", "examples/inside_axum"]) {
        for program in texts(&here.join("..").join(folder), "rs") {
            // Some derive a view instead.
            invocation(tokens(&program)).into_iter().for_each(&mut add);
        }
    }
    inputs
}

fn texts(folder: &Path, extension: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<_> = entries.map(|entry| entry.expect("it can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    // The same case is the same input on every machine.
    files.sort();
    assert!(!files.is_empty(), "{folder:?} has inputs");
    files.iter().map(|file| fs::read_to_string(file).expect("it can be read")).collect()
}

/// Returns the tokens between the braces of the first `pode_server!`.
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
