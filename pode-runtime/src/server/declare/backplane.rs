//! Declares a backplane.

use crate::backplane::Backplane;
use crate::server::declare::Declared;
use crate::server::option_bounds::Bounded;

impl Declared {
    /// Names the backplane that carries messages to the other nodes.
    pub fn backplane(&mut self, mut backplane: Backplane) {
        backplane.options.bound();
        self.backplane = Some(backplane);
    }
}
