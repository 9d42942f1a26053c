//! Behaviour as clients see it: servers are declared, started on free ports,
//! and used over real sockets. One module for each noun.
#![allow(dead_code, reason = "to many signals clients only connect")]
#![allow(clippy::unwrap_used, reason = "what was expected and isn't there fails the test")]

#[path = "../support/mod.rs"]
mod support;

mod accept;
#[cfg(unix)]
mod activation;
mod argument;
mod asking;
#[cfg(unix)]
#[cfg(unix)]
mod backplane;
mod blocked;
mod browser;
mod client;
mod connection;
mod conversation;
mod crowd;
mod embed;
mod endpoint;
mod endurance;
mod event_stream;
mod exchange;
mod family;
mod fault;
mod greedy;
#[cfg(unix)]
mod hand_over;
mod header;
mod history;
#[cfg(unix)]
mod last_messages;
mod latest_by;
#[cfg(target_os = "linux")]
mod log;
mod memory;
mod mount;
mod numbers;
mod operations;
mod origin;
mod presence;
mod protocol;
mod proxied;
mod public;
#[cfg(unix)]
mod range;
mod rebroadcast;
#[cfg(unix)]
mod redis_servers;
mod refusal;
mod reply;
mod route;
mod schedule;
mod security;
mod server;
mod signal;
mod slow;
mod state;
#[cfg(unix)]
mod stop;
mod supervision;
mod test_kit;
mod timer;
mod tls;
mod uncancelled;
mod upstream;
mod v1;
mod view;
