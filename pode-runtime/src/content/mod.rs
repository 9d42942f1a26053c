//! Views and public files, from the disk or embedded.

pub(crate) mod folder;
pub(crate) mod public;
pub(crate) mod view;
