use pode::prelude::*;

#[derive(Serialize)]
struct UserList {
    title: String,
}

async fn list(_: WebEvent) -> impl Reply {
    view("users/list").with(&UserList { title: "Users".to_owned() })
}

fn main() {
    let _ = list;
}
