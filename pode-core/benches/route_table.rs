//! What it costs to find the route of a request among two hundred.

#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use pode_core::route_table::Found;
use pode_core::{Method, RouteTable};

criterion_group!(benches, find);
criterion_main!(benches);

fn find(criterion: &mut Criterion) {
    let table = two_hundred();
    let mut group = criterion.benchmark_group("find");
    for (title, path, index) in [
        ("first", "/0/list", Some(0)),
        ("last", "/99/list", Some(198)),
        ("two parameters", "/99/7/parts/8", Some(199)),
        ("miss at once", "/nowhere", None),
        ("miss at the end", "/99/7/parts/8/nowhere", None),
    ] {
        let found = match table.find(Some(Method::Get), path) {
            Found::Route { index, .. } => Some(index),
            _ => None,
        };
        assert_eq!(found, index, "{path}");
        group.bench_function(title, |bencher| {
            bencher.iter(|| table.find(Some(Method::Get), black_box(path)));
        });
    }
}

fn two_hundred() -> RouteTable {
    let mut table = RouteTable::default();
    let paths = (0..100).flat_map(|n| [format!("/{n}/list"), format!("/{n}/:id/parts/:part")]);
    for (index, path) in paths.enumerate() {
        let path = path.parse().expect("it is a path");
        assert_eq!(table.insert(Method::Get, &path, index), None);
    }
    table
}
