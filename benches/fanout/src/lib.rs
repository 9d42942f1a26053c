//! Measures what a broadcast costs, from `send` to the last socket.
//!
//! [`measure`](round::measure) starts a [server] program, connects
//! [clients] to it and has it publish; what the server's process took is
//! divided by what the clients received. The README tells how to run it and
//! what its workloads are.
//!
//! It needs Linux: its epoll, and its accounts of processes.
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
