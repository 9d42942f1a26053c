//! The model of the folder of views.

use super::{Folder, Head};

/// The folder whose `.html` files are the views.
#[derive(Debug)]
pub struct Views {
    /// The parts that every declaration has.
    pub head: Head,
    /// The folder.
    pub folder: Folder,
    /// The paths of its templates: the `.html` files, and what these include by
    /// name.
    pub templates: Vec<String>,
}

impl Views {
    /// Returns the names of the views: paths below the folder without `.html`.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.folder.files().filter_map(|file| file.path.strip_suffix(".html"))
    }
}
