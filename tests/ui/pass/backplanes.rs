//! Backplanes: valid code that is close to a mistake.

#![deny(warnings)]

use std::borrow::Cow;

use pode::BackplaneStart;
use pode::prelude::*;

struct Settings {
    redis_url: String,
    name: String,
}

pode_server! {
    // PODE161: a URL that is known only at run time. PODE164: so is a name.
    server example(settings: Settings) { hand_over: "run/example.sock" };
    endpoint ws "127.0.0.1:0";
    backplane redis settings.redis_url {
        kept_messages: 1_000,
        start: Anyway,
        name: settings.name,
    };
    signal NEWS: String = "/news" { history_messages: 1_000 };
    // PODE165: of each key, the newest message is kept apart.
    signal PRICE: u8 = "/price" { history_messages: 10_000, latest_by: |_| "price" };
}

pode_server! {
    // PODE164: the name of the server, if it can be that of nodes, or another.
    server größe;
    endpoint ws "127.0.0.1:0";
    backplane redis "rediss://shop:se%2Fcret@Redis.example:65535/15" { name: "Shop_2.eu-west" };
    signal GRÖSSEN: u8 = "/sizes";
}

pode_server! {
    server by_socket(most: usize, start: BackplaneStart, name: Option<&'static str>);
    endpoint ws "127.0.0.1:0";
    // PODE162: one that is left out.
    #[cfg(any())]
    backplane redis "redis://localhost";
    // PODE163: a signal that may be left out.
    #[cfg(all())]
    signal MAYBE: u8 = "/maybe";
    // A path is percent-encoded.
    backplane redis "redis+unix:///run/redis%20socket?db=2&user=a&pass=b" {
        kept_messages: most,
        start: start,
        name: name,
    };
}

pode_server! {
    // PODE160: `redis` is a name like any other elsewhere, and so is `backplane`.
    server backplane(redis: Cow<'static, str>);
    endpoint ws "127.0.0.1:0";
    backplane redis redis.clone() + "/2" { kept_messages: 10_000_000, start: Fail };
    signal LONG: u8 = "/long" { history_messages: 10_000_000 };
    // PODE161: several hosts, if they are Sentinels.
    #[cfg(any())]
    backplane redis "rediss+sentinel://:a@one.example,[::1]:1/my-master/2?sentinel_password=b" {
        roots: system_roots_and("no/such/file.pem"),
    };
}

#[test]
fn can_be_made() {
    let settings = Settings { redis_url: "redis://localhost".into(), name: "shop".into() };
    let _ = (example(settings), NEWS, PRICE);
    let _ = (größe(), GRÖSSEN);
    let _ = (by_socket(5_000, BackplaneStart::Fail, None), MAYBE);
    let _ = (backplane("redis://localhost".into()), LONG);
}
