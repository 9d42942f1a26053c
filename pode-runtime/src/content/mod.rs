pub(crate) mod folder;
pub(crate) mod public;
pub(crate) mod view;
