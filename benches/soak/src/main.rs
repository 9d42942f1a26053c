//! The command: runs the load, and is the server, too. The README describes what
//! it does.

#![cfg_attr(not(target_os = "linux"), allow(dead_code))]

mod arguments;
#[path = "../../child/mod.rs"]
mod child;
mod counts;
#[allow(dead_code, reason = "another package has it, too, and needs more of it")]
#[path = "../../dice/mod.rs"]
mod dice;
mod faults;
mod load;
mod log;
mod process;
mod server;

use std::process::ExitCode;

use arguments::{Arguments, USAGE};

/// The folder of the tests' certificates.
const CERTIFICATES: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/behavior/certificates");

fn main() -> ExitCode {
    if !cfg!(target_os = "linux") {
        eprintln!("this needs Linux, whose accounts of processes it reads");
        return ExitCode::from(2);
    }
    let mut arguments = std::env::args().skip(1).peekable();
    if arguments.next_if(|first| first == "serve").is_some() {
        let Some(socket) = arguments.next() else {
            eprintln!("usage: pode-soak serve SOCKET [UPSTREAM]");
            return ExitCode::from(2);
        };
        return match server::serve(socket.into(), arguments.next()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        };
    }
    let arguments = match Arguments::parse(arguments) {
        Ok(arguments) => arguments,
        Err(wrong) => {
            eprintln!("{wrong}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match load::run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
