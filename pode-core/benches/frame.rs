//! What it costs to make a payload into a frame, which is done once for each
//! send, however many receive it; and to take frames that clients send out of
//! the bytes that were read, beside what a library takes for it.

#![allow(missing_docs, reason = "a program")]

use std::hint::black_box;

use std::io::Cursor;

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pode_core::Message;
use pode_core::frame::{AcceptPolicy, Decoder, Received};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Message as LibraryMessage, WebSocket};

/// An ordinary message, and a large one.
const PAYLOAD_BYTES: [usize; 2] = [128, 16 << 10];

criterion_group!(benches, encode, decode);
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

/// Takes texts off what was read at once: some hundred of the ordinary ones, a
/// single large one.
fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for payload_bytes in PAYLOAD_BYTES {
        let texts = (16 << 10) / payload_bytes;
        let read = masked_text(payload_bytes).repeat(texts);
        group.throughput(Throughput::Elements(texts as u64));
        group.bench_function(BenchmarkId::new("ours", payload_bytes), |bencher| {
            let take = |mut read: Vec<u8>| assert_eq!(take(&mut read), texts);
            bencher.iter_batched(|| read.clone(), take, BatchSize::SmallInput);
        });
        group.bench_function(BenchmarkId::new("tungstenite", payload_bytes), |bencher| {
            let take = |read: Vec<u8>| assert_eq!(take_by_library(read), texts);
            bencher.iter_batched(|| read.clone(), take, BatchSize::SmallInput);
        });
    }
}

fn take(read: &mut [u8]) -> usize {
    let mut decoder = Decoder::default();
    let mut input = read;
    let mut texts = 0;
    while let Some(said) =
        decoder.next(&mut input, AcceptPolicy::messages(1 << 20)).expect("valid frames")
    {
        assert!(matches!(black_box(said), Received::Text(_)));
        texts += 1;
    }
    texts
}

/// With the smallest buffer that it reads these at once with.
fn take_by_library(read: Vec<u8>) -> usize {
    let config = WebSocketConfig::default().read_buffer_size(read.len());
    let mut socket = WebSocket::from_raw_socket(Cursor::new(read), Role::Server, Some(config));
    let mut texts = 0;
    while let Ok(message) = socket.read() {
        assert!(matches!(black_box(message), LibraryMessage::Text(_)));
        texts += 1;
    }
    texts
}

fn masked_text(payload_bytes: usize) -> Vec<u8> {
    let mask = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![0x81];
    match payload_bytes {
        0..126 => frame.push(0x80 | payload_bytes as u8),
        _ => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(payload_bytes).expect("16 bits").to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(mask.iter().cycle().take(payload_bytes).map(|mask| b'x' ^ mask));
    frame
}
