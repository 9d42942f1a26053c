//! Measures what a broadcast costs, from `send` to the last socket.
//!
//! [`measure`](round::measure) starts a [server] program, connects
//! [clients] to it and makes it publish; the time that the server's process
//! took is divided by the number of messages that the clients received. The
//! README describes how to run it, and its workloads.
//!
//! It needs Linux: its epoll, and its accounting of processes.
#![cfg(target_os = "linux")]

pub mod certificate;
pub mod clients;
pub mod draw;
pub mod growth;
pub mod histogram;
pub mod peers;
pub mod process;
pub mod protocol;
pub mod round;
pub mod server;
pub mod table;
pub mod workload;
