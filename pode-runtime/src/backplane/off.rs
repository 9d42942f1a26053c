//! Stands in for the backplane where no feature brings one: there is none.

/// Never exists.
#[derive(Debug)]
pub(crate) enum Backplane {}
