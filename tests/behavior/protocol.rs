//! The protocol `pode.v1`, by what its document says in no programming language:
//! `tests/protocol/`.

use pode::Protocol;
use pode::prelude::*;
use serde_json::Value;
use tokio::process::Command;

use crate::support::{start, within};

pode_server! {
    server spoken;
    endpoint ws "127.0.0.1:0";
    signal CHAT: Value -> Value = "/chat" { history_messages: 10 } => say;
}

async fn say(event: SignalEvent<Value>, said: Value) -> Result<(), SendError> {
    event.send(CHAT, &said).await
}

/// A client in another language, written by the document alone.
#[tokio::test]
async fn a_client_in_python_understands() {
    let server = start(spoken()).await;
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/protocol/run_client.py");
    let mut run = Command::new("python3");
    run.arg(script).arg(server.address(Protocol::Ws).unwrap().to_string());
    let output = within(run.kill_on_drop(true).output(), "the client").await;
    let output = output.expect("there is a python3");
    let [said, mistakes] = [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
    assert!(output.status.success(), "{said}{mistakes}");
    server.stop().await;
}
