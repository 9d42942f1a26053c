//! Folders of static files as meant.

use super::{Folder, Head, Place};
use crate::RoutePath;

/// A folder whose files are served as they are.
#[derive(Debug)]
pub struct Public {
    /// What every declaration has.
    pub head: Head,
    /// The path under which the files appear; it has no parameters.
    pub prefix: RoutePath,
    /// Where the prefix stands, or the folder if there is none.
    pub prefix_place: Place,
    /// The folder.
    pub folder: Folder,
}
