use pode::prelude::*;

// No server declares these folders.

#[derive(Serialize, View)]
#[view("index", folder = "files/broken")]
struct Broken {
    name: String,
}

#[derive(Serialize, View)]
#[view("index", folder = "files/includes")]
struct IncludesNothing;

#[derive(Serialize, View)]
#[view("user", folder = "files/words")]
struct UnknownWords {
    name: String,
}

#[derive(Serialize, View)]
#[view("user", folder = "files/writes")]
struct InScripts {
    name: String,
}

#[derive(Serialize, View)]
#[view("latin", folder = "files/unfit")]
struct NotText;

#[derive(Serialize, View)]
#[view("link", folder = "files/unfit")]
struct Link;

#[derive(Serialize, View)]
#[view("linked/head", folder = "files/unfit")]
struct BelowLink;

#[derive(Serialize, View)]
#[view(".hidden", folder = "files/unfit")]
struct Hidden;

#[derive(Serialize, View)]
#[view("folder", folder = "files/unfit")]
struct Folder;

#[derive(Serialize, View)]
#[view("uses", folder = "files/unfit")]
struct UsesThem;

#[derive(Serialize, View)]
#[view("index", folder = "files/broken/index.html")]
struct InFile;

fn main() {}
