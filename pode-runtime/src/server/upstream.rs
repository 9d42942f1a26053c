//! A server's handles of its upstreams.

use pode_core::UpstreamName;

use crate::server::running::RunningServer;
use crate::server::start::Server;
use crate::upstream::{Upstream, Upstreams};

impl Server {
    /// Returns the handle of an upstream, to send to it once the server runs.
    pub fn upstream<Sends, Receives>(
        &self,
        name: UpstreamName<Sends, Receives>,
    ) -> Upstream<Sends> {
        Upstreams::of(&self.declared.upstreams).find(name)
    }
}

impl RunningServer {
    /// Returns the handle of an upstream, to send to it.
    pub fn upstream<Sends, Receives>(
        &self,
        name: UpstreamName<Sends, Receives>,
    ) -> Upstream<Sends> {
        self.upstreams.find(name)
    }
}
