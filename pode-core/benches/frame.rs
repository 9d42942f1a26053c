//! What it costs to make a payload into a frame: once for each send, however
//! many receive it.

#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pode_core::Message;

/// An ordinary message, and a large one.
const PAYLOAD_BYTES: [usize; 2] = [128, 16 << 10];

criterion_group!(benches, encode);
criterion_main!(benches);

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for payload_bytes in PAYLOAD_BYTES {
        let text = "x".repeat(payload_bytes);
        group.throughput(Throughput::Bytes(payload_bytes as u64));
        group.bench_function(BenchmarkId::new("text", payload_bytes), |bencher| {
            bencher.iter(|| Message::text(black_box(&text)));
        });
        let numbers = numbers(payload_bytes);
        group.bench_function(BenchmarkId::new("json", payload_bytes), |bencher| {
            bencher.iter(|| Message::json(black_box(&numbers)));
        });
    }
}

/// Makes numbers whose JSON has so many bytes: a text would hardly be more
/// work than its copy.
fn numbers(payload_bytes: usize) -> Vec<u64> {
    // `[1234567,1234567]` is eight bytes for each, and one.
    let mut numbers = vec![1_234_567; payload_bytes / 8 - 1];
    // The last makes up for that one.
    numbers.push(123_456);
    let json = Message::json(&numbers).expect("numbers have a JSON form");
    assert_eq!(json.payload().len(), payload_bytes);
    numbers
}
