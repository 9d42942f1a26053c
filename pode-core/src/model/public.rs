//! The model of folders of static files.

use super::{File, Folder, Head, Place};
use crate::route_path::RoutePath;

/// A folder whose files are served unchanged.
#[derive(Debug)]
pub struct Public {
    /// The parts that every declaration has.
    pub head: Head,
    /// The path under which the files appear; it has no parameters.
    pub prefix: RoutePath,
    /// Where the prefix stands, or the folder if there is none.
    pub prefix_place: Place,
    /// The folder.
    pub folder: Folder,
}

impl Public {
    /// Returns the path at which a file of the folder appears, as a browser
    /// requests it.
    pub fn path_of(&self, file: &File) -> String {
        let prefix = self.prefix.to_string();
        let path = format!("{}/{}", prefix.trim_end_matches('/'), file.path);
        // Of all characters in a name, only this one would be decoded.
        path.replace('%', "%25")
    }
}
