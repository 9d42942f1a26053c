use pode::prelude::*;

#[derive(Serialize, View)]
#[view("users/list")]
struct UserList {
    title: String,
}

async fn list(_: WebEvent) -> impl Reply {
    UserList { title: "Users".to_owned() }
}

fn main() {
    let _ = list;
}
