use pode::prelude::*;

#[derive(View)]
#[view("users/one", folder = "files/sound/views")]
struct User {
    id: u64,
}

async fn show(_: WebEvent) -> User {
    User { id: 7 }
}

fn main() {
    let _ = show;
}
