//! The vocabulary of pode: what its words mean, apart from any socket.
//!
//! The macro and the run time both build on this crate, so each idea has one
//! parser and one rule: what compiles is what runs. There are no sockets and
//! no files in here, and no clock but that of new client ids.
//!
//! - [`Address`], [`Host`], [`Method`], [`Network`], [`Origin`], [`Protocol`],
//!   [`RedisUrl`], [`RoutePath`], [`SignalPath`], [`StateName`], [`UpstreamName`],
//!   [`UpstreamUrl`], [`backplane`], [`presence`] and [`interval`] are the words of a
//!   declaration, and so is `cron` (feature `cron`).
//! - [`SignalFamily`] is many signal paths in one declaration, [`level`] is how
//!   widely a signal may be sent, and [`ClientId`] identifies a client.
//! - [`RouteTable`] finds the route for a request, and [`CertificateNames`] the
//!   certificate for a client; [`ber`] and [`pem`] are for the files of
//!   certificates.
//! - [`Message`] is a payload, encoded; [`frame`] has the frames of the
//!   WebSocket protocol, and [`hub`] carries messages from senders to receivers
//!   (feature `hub`).
//! - [`feature`] says what helps where a Cargo feature is off.
//! - [`model`] is the model of a server, [`page`] finds what pages request, and
//!   [`check`] checks that a server is consistent (feature `check`; with `tls` also
//!   its certificates, with `views` also its templates).

pub mod address;
pub mod backplane;
pub mod ber;
pub mod certificate_names;
#[cfg(feature = "cron")]
pub mod cron;
mod der;
pub mod feature;
pub mod host;
pub mod interval;
pub mod latest_by;
pub mod level;
pub mod method;
pub mod network;
pub mod origin;
pub mod pem;
pub mod presence;
pub mod protocol;
pub mod redis_url;
pub mod route_path;
pub mod route_table;
pub mod signal_family;
pub mod signal_path;
pub mod state_name;
pub mod upstream_name;
pub mod upstream_url;

#[cfg(feature = "hub")]
pub mod client_id;
#[cfg(feature = "hub")]
pub mod frame;
#[cfg(feature = "hub")]
pub mod hub;
#[cfg(feature = "hub")]
pub mod message;

#[cfg(all(feature = "check", feature = "tls"))]
pub mod certificate;
#[cfg(feature = "check")]
pub mod check;
#[cfg(feature = "check")]
pub mod model;
#[cfg(feature = "check")]
pub mod page;

#[cfg(feature = "hub")]
pub mod error;

pub use address::{Address, Bind};
pub use certificate_names::{CertificateNames, Fit};
pub use host::Host;
pub use latest_by::{KeyOf, LatestBy};
pub use method::Method;
pub use network::Network;
pub use origin::Origin;
pub use protocol::Protocol;
pub use redis_url::{RedisServer, RedisUrl};
pub use route_path::RoutePath;
pub use route_table::RouteTable;
pub use signal_family::{FamilyPath, Parameters, SignalFamily};
pub use signal_path::{KeyedTarget, Nothing, SignalDeclaration, SignalPath, SignalTarget};
pub use state_name::StateName;
pub use upstream_name::UpstreamName;
pub use upstream_url::UpstreamUrl;

#[cfg(feature = "hub")]
pub use {
    client_id::{ClientId, ClientIdError},
    error::SendError,
    message::{Message, Payload},
};
