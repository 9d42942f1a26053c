//! The values that handlers share, keyed by type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use crate::base::error::EventError;

/// The declared states of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    by_type: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl States {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.by_type.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// Returns the state of this type, or an error that names it if none is
    /// declared.
    pub(crate) fn find<T: 'static>(&self) -> Result<&T, EventError> {
        let found = self.by_type.get(&TypeId::of::<T>()).and_then(|value| value.downcast_ref());
        found.ok_or_else(|| {
            EventError::new(500, format!("no state of type `{}` is declared", type_name::<T>()))
        })
    }
}
