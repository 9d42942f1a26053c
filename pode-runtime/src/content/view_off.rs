//! Stands in for views where the feature `views` is off: there are none.

use std::collections::BTreeMap;

use crate::base::error::StartError;
use crate::content::folder::Folder;
use crate::content::position::Positions;
use crate::http::response::WholeResponse;

/// Never exists.
#[derive(Debug)]
pub(crate) enum Views {}

impl Views {
    /// # Errors
    ///
    /// Always: the feature is off.
    pub(crate) fn new(_: Folder) -> Result<Views, StartError> {
        Err(StartError::FeatureOff { what: "`views`".to_owned(), feature: "views" })
    }

    pub(crate) fn has(&self, _: &str) -> bool {
        match *self {}
    }

    pub(crate) fn answer_with(
        &self,
        _: &str,
        _: &BTreeMap<&str, String>,
        _: &'static str,
        _: &Positions,
    ) -> Result<WholeResponse, String> {
        match *self {}
    }
}
