//! The names a server file needs: `use pode::prelude::*;`

pub use pode_core::{SendError, SignalPath};
pub use pode_macros::pode_server;
pub use pode_runtime::argument::Multipart;
pub use pode_runtime::reply::{Reply, bytes, file, html, json, redirect, status, text, view};
pub use pode_runtime::{EventError, ScheduleEvent, Server, Signals, TimerEvent, WebEvent};
pub use serde::{Deserialize, Serialize};
