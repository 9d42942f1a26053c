//! The values that handlers share.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use pode_core::StateName;

/// The declared states of a server, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    by_name: HashMap<&'static str, Arc<dyn Any + Send + Sync>>,
}

impl States {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, name: &'static str, value: T) {
        self.by_name.insert(name, Arc::new(value));
    }

    /// Returns the state of this name.
    ///
    /// # Panics
    ///
    /// If the server doesn't declare it: the name is that of another server of the
    /// program, which the compiler can't tell.
    pub(crate) fn find<T: 'static>(&self, name: StateName<T>) -> &T {
        let found = self.by_name.get(name.as_str()).and_then(|value| value.downcast_ref());
        found.unwrap_or_else(|| {
            panic!("this server has no state `{}`: it is another server's", name.as_str())
        })
    }
}
