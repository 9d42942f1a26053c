//! Tests that the benchmark works: a few clients, for a short time.
#![cfg(target_os = "linux")]

use pode_fanout::growth::POINTS;
use pode_fanout::process::Program;
use pode_fanout::round::{Setting, measure};
use pode_fanout::server::NAMES;
use pode_fanout::workload::Workload;

/// Every published message arrives once and in order, with every server; clients that
/// come back get it where it is kept.
#[track_caller]
fn check(workload: Workload) {
    for name in NAMES.into_iter().filter(|name| workload.includes(name)) {
        let command = vec![env!("CARGO_BIN_EXE_pode-fanout").into(), "serve".into(), name.into()];
        let program = Program { name: name.to_owned(), command };
        let setting = Setting { seconds: 0.2, server_cores: &[] };
        let round = measure(&workload, &program, setting).expect("the server runs");
        assert_eq!(round.published, round.offered, "{round:?}");
        let is_kept = round.returned.is_none() || name.ends_with("-history");
        let clients = if is_kept { workload.clients / workload.paths } else { 0 };
        assert_eq!(round.delivered, round.published * clients as u64, "{round:?}");
        assert_eq!((round.lost, round.out_of_order, round.cut_off), (0, 0, 0), "{round:?}");
        assert!(round.server_ns > 0 && (round.p50_ns > 0 || !is_kept), "{round:?}");
    }
}

#[test]
fn one_path() {
    check(Workload { clients: 10, ..Workload::find("W1").unwrap() });
}

#[test]
fn many_paths() {
    check(Workload { clients: 20, paths: 10, ..Workload::find("W4").unwrap() });
}

#[test]
fn clients_that_come_back() {
    check(Workload { clients: 10, ..Workload::find("RESUME").unwrap() });
}

#[test]
fn bursts() {
    check(Workload { clients: 10, ..Workload::find("W6").unwrap() });
}

#[test]
fn large_messages() {
    check(Workload { clients: 10, ..Workload::find("W3").unwrap() });
}

#[test]
fn smallest_messages() {
    let point = POINTS.into_iter().find(|point| point.workload.name == "payload-16").unwrap();
    check(Workload { clients: 10, ..point.workload });
}

#[test]
fn secret_messages() {
    check(Workload { clients: 10, ..Workload::find("W7").unwrap() });
}
