//! Names that only expansions use; no promises are made about them.

pub use pode_core::{Method, Protocol};
pub use pode_runtime::Folder;
pub use pode_runtime::argument::{body, data, form, json, multipart, path, query};
pub use pode_runtime::declared::Declared;
pub use pode_runtime::route::{
    handler_filter_0, handler_filter_1, handler_filter_2, handler_filter_3, handler_filter_4,
    handler_filter_5, handler_filter_6, handler_filter_7, handler_filter_8, redirect_filter,
    view_filter,
};

/// What the values of a server's options may say.
pub mod server_words {
    pub use pode_runtime::signed_by;
}

/// What the values of a signal's options may say.
pub mod signal_words {
    pub use pode_runtime::OnLag::{Disconnect, Latest, Skip};
    pub use pode_runtime::Origins::{AnyPage, OwnPages};
    pub use pode_runtime::Rebroadcast::{Anyone, OwnGroups};
    pub use pode_runtime::pages_of;
}

/// What the values of an upstream's options may say.
pub mod upstream_words {
    pub use pode_runtime::Roots::SystemRoots;
    pub use pode_runtime::{roots_of, system_roots_and};
}

/// What the values of an endpoint's options may say.
pub mod endpoint_words {
    pub use pode_runtime::certificate::{
        optional, password_from_env, password_from_file, pem, pfx, required, self_signed,
    };
}
