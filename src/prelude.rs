//! The names a server file needs: `use pode::prelude::*;`

pub use pode_core::{ClientId, SendError, SignalFamily, SignalPath};
pub use pode_macros::View;
// The links of its page are relative to where it is at the root.
#[doc(no_inline)]
pub use pode_macros::pode_server;
#[cfg(feature = "schedule")]
pub use pode_runtime::ScheduleEvent;
#[cfg(feature = "multipart")]
pub use pode_runtime::argument::Multipart;
#[cfg(feature = "views")]
pub use pode_runtime::reply::view;
pub use pode_runtime::reply::{Reply, bytes, file, html, json, redirect, status, text};
pub use pode_runtime::{
    ConnectEvent, DisconnectEvent, EventError, Server, SignalEvent, Signals, TimerEvent, WebEvent,
};
#[cfg(feature = "upstream")]
pub use pode_runtime::{UpstreamError, UpstreamEvent};
pub use serde::{Deserialize, Serialize};
