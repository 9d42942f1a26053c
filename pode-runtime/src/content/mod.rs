//! Files for browsers: a `folder` is read from the disk or embedded, `view` renders
//! its templates, in which `position` finds those of signals, `public` serves its files.
//! `file` opens one and answers with it.

pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod position;
pub(crate) mod public;
#[cfg_attr(not(feature = "views"), path = "view_off.rs")]
pub(crate) mod view;
