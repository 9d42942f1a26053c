//! Names that only expansions use, without any stability guarantee.

pub use pode_core::{Method, Protocol};
#[cfg(feature = "redis")]
pub use pode_runtime::Backplane;
#[cfg(feature = "multipart")]
pub use pode_runtime::argument::multipart;
pub use pode_runtime::argument::{body, data, form, json, mistaken, path, query};
pub use pode_runtime::declared::Declared;
pub use pode_runtime::function;
pub use pode_runtime::{Folder, Received};
// With its traits, so that rustc calls them by their names alone.
pub use pode_runtime::option_values::{self, interval, number, quoted};
pub use pode_runtime::route::{
    function_filter_0, function_filter_1, function_filter_2, function_filter_3, function_filter_4,
    function_filter_5, function_filter_6, function_filter_7, function_filter_8, handler_filter_0,
    handler_filter_1, handler_filter_2, handler_filter_3, handler_filter_4, handler_filter_5,
    handler_filter_6, handler_filter_7, handler_filter_8, redirect_filter,
};
#[cfg(feature = "views")]
pub use pode_runtime::{Views, show, view_filter};
pub use serde::Serialize;
#[cfg(feature = "views")]
pub use std::sync::LazyLock;

/// Makes the value of an option. In the user's code, clippy would complain where
/// the value has the option's type already.
pub fn converted<Written, Value: From<Written>>(value: Written) -> Value {
    value.into()
}

// Expansions name `__Options`, so that the import of a module is used in any case.
// Each word stands in `expand/options.rs` of the macro, too.

/// The words that the values of a server's options may use.
pub mod server_words {
    pub type __Options = pode_runtime::ServerOptions;
    pub use pode_runtime::{secret_from_env, signed_by};
}

/// The words that the values of a signal's options may use.
pub mod signal_words {
    pub use pode_runtime::EventStreams::{Off, On};
    pub use pode_runtime::OnLag::{Disconnect, Latest, Skip};
    pub use pode_runtime::Origins::{AnyPage, OwnPages};
    pub use pode_runtime::Rebroadcast::{Anyone, OwnGroups};
    pub use pode_runtime::Replay::{All, Last, Messages, OnlyNew};
    pub type __Options = pode_runtime::SignalOptions;
    pub use pode_runtime::{EventStreams, OnLag, Origins, Rebroadcast, Replay, pages_of};
}

/// The words that the values of a route's options may use.
pub mod route_words {
    pub use pode_runtime::Origins::{AnyPage, OwnPages};
    pub type __Options = pode_runtime::RouteOptions;
    pub use pode_runtime::{Origins, pages_of};
}

/// The words that the values of a timer's options may use.
pub mod timer_words {
    pub use pode_runtime::FiresOn::{EveryNode, OneNode};
    pub type __Options = pode_runtime::TimerOptions;
    pub use pode_runtime::FiresOn;
}

/// The words that the values of a schedule's options may use.
#[cfg(feature = "schedule")]
pub mod schedule_words {
    pub use pode_runtime::FiresOn::{EveryNode, OneNode};
    pub type __Options = pode_runtime::ScheduleOptions;
    pub use pode_runtime::FiresOn;
}

/// The words that the values of an upstream's options may use.
#[cfg(feature = "upstream")]
pub mod upstream_words {
    pub use pode_runtime::Roots::SystemRoots;
    pub type __Options = pode_runtime::UpstreamOptions;
    pub use pode_runtime::{Roots, roots_of, system_roots_and};
}

/// The words that the values of a backplane's options may use.
#[cfg(feature = "redis")]
pub mod backplane_words {
    pub use pode_runtime::BackplaneStart::{Anyway, Fail};
    pub use pode_runtime::Roots::SystemRoots;
    pub type __Options = pode_runtime::BackplaneOptions;
    pub use pode_runtime::{BackplaneStart, Roots, roots_of, system_roots_and};
}

/// The words that the values of an endpoint's options may use.
pub mod endpoint_words {
    pub type __Options = pode_runtime::EndpointOptions;
    #[cfg(feature = "tls")]
    pub use pode_runtime::certificate::{
        optional, password_from_env, password_from_file, pem, pfx, required, self_signed,
    };
    pub use pode_runtime::forwarded_by;
}
