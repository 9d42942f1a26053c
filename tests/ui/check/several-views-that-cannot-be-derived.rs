use pode::prelude::*;

#[derive(Serialize, View)]
struct Nameless {
    title: String,
}

#[derive(Serialize, View)]
#[view(users)]
struct Misnamed {
    title: String,
}

#[derive(Serialize, View)]
#[view("users/list", folder = "files/lists")]
struct Pair(String, String);

#[derive(Serialize, View)]
#[view("users/list", folder = "files/lists")]
enum Kind {
    User,
}

#[derive(Serialize, View)]
#[view("users/lst", folder = "files/lists")]
struct Misspelled {
    title: String,
}

#[derive(Serialize, View)]
#[view("users/list")]
struct Elsewhere {
    title: String,
}

#[derive(Serialize, View)]
#[view("users/list", folder = "../views")]
struct Outside {
    title: String,
}

fn main() {}
