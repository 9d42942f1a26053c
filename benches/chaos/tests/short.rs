//! A few faults, to real processes: each time, all nodes are well again before the next
//! one.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::process::Command;

#[test]
fn nodes_and_redis_that_are_killed_lose_nothing() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("chaos");
    let mut chaos = Command::new(env!("CARGO_BIN_EXE_pode-chaos"));
    chaos.args(["1", "--short", "--folder"]).arg(&folder).env_remove("SEED");
    let output = chaos.output().expect("it was built for this test");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
