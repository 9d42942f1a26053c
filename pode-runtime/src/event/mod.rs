//! Events: what handlers receive, one kind for each noun that has a handler.

mod web;

pub use web::WebEvent;
pub(crate) use web::{House, Web};
