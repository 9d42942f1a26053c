//! Handing over: from an older process of a server to a newer one, while clients
//! come, go and listen.
//!
//! Both meet at a Unix [socket], where the older one has a [listener]. The newer
//! process gets duplicates of the older one's listening sockets ([predecessor]), so
//! that a client that connects waits in their backlog at worst. When it is ready,
//! the older one stops its timers, upstreams and acceptors ([successor]). From then
//! on the newer one leads ([leader]): it numbers what is sent in both. The older one
//! follows ([follower]): it closes its clients one by one and tells each its
//! position, with which a client comes back to the newer process and gets what it
//! missed. They talk over a [link], by frames ([wire]).
//!
//! [task] runs all that, with what [state] holds of the server. If the newer process
//! dies or hangs, the older one goes on as before, as long as it is there. It then
//! renews the socket: a process whose socket isn't at the path any more knows that it
//! doesn't lead, whenever it looks.

#[cfg(unix)]
mod follower;
#[cfg(unix)]
mod leader;
#[cfg(unix)]
mod link;
#[cfg(unix)]
mod listener;
#[cfg(not(unix))]
mod nobody;
#[cfg(unix)]
mod predecessor;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod state;
#[cfg(unix)]
mod successor;
#[cfg(unix)]
mod task;
#[cfg(test)]
#[cfg(unix)]
mod tests;
#[cfg(unix)]
mod wire;

use std::path::{Path, PathBuf};

#[cfg(not(unix))]
pub(crate) use self::nobody::Predecessor;
#[cfg(unix)]
pub(crate) use self::predecessor::Predecessor;
#[cfg(unix)]
pub(crate) use self::state::Resources;
#[cfg(unix)]
pub(crate) use self::task::{Claim, RestartTask};

/// What each channel keeps at least for clients that reconnect, while they are told
/// to and for some time after.
#[cfg(unix)]
const KEPT: pode_core::hub::LogBounds =
    pode_core::hub::LogBounds { messages: 4096, age: None, bytes: 8 << 20 };

/// Where the process that is to replace a server finds it: the option
/// `hand_over` of a server.
///
/// ```
/// # use pode_runtime as pode;
/// use pode::HandOver;
///
/// assert_eq!(HandOver::from("run/shop.sock").path(), Some("run/shop.sock".as_ref()));
/// assert_eq!(HandOver::default().path(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HandOver {
    path: Option<PathBuf>,
}

impl HandOver {
    /// Returns the path of the socket; `None` if the server doesn't hand over.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

macro_rules! from_paths {
    ($($Path:ty),*) => {$(
        impl From<$Path> for HandOver {
            fn from(path: $Path) -> HandOver {
                HandOver { path: Some(path.into()) }
            }
        }
    )*};
}

from_paths!(PathBuf, &Path, &str, String);

/// `None` means no hand-over.
impl<P: Into<HandOver>> From<Option<P>> for HandOver {
    fn from(path: Option<P>) -> HandOver {
        path.map(Into::into).unwrap_or_default()
    }
}
