use pode::prelude::*;

#[derive(Serialize, View)]
#[view("users/list", folder = "files/lists")]
struct UserList {
    title: String,
    users: Vec<String>,
}

fn main() {
    let _ = |list: UserList| list;
}
