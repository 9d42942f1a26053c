//! The values that handlers share, keyed by type.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::Arc;

use crate::base::error::EventError;
use crate::base::log::ration::rationed;

/// What clients learn of a state that is missing.
pub(crate) const NO_STATE: &str = "the server could not find what it needs for this";

/// The declared states of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct States {
    by_type: HashMap<TypeId, Arc<dyn Any + Send + Sync>>,
}

impl States {
    pub(crate) fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        self.by_type.insert(TypeId::of::<T>(), Arc::new(value));
    }

    /// Returns the state of this type; if none is declared, an error of status
    /// 500, whose reason is in the log.
    pub(crate) fn find<T: 'static>(&self) -> Result<&T, EventError> {
        let found = self.by_type.get(&TypeId::of::<T>()).and_then(|value| value.downcast_ref());
        found.ok_or_else(|| {
            let name = type_name::<T>();
            rationed!(
                error,
                "no state of type `{name}` is declared: `state {name} = …;` is missing"
            );
            EventError::new(500, NO_STATE)
        })
    }
}
