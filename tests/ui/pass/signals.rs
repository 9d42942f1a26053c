//! Signals: what is almost a mistake, and isn't.

#![deny(warnings)]

use pode::prelude::*;

pode_server! {
    server example;
    endpoint ws 8091;
    // PODE060, PODE061: one that isn't there; another path.
    signal CHAT: String = "/";
    #[cfg(any())]
    signal CHAT: u32 = "/";
    signal TALK: String = "/talk";
    // PODE062, PODE063: a type that holds an arrow of its own.
    signal FUNCTIONS: std::marker::PhantomData<fn(u8) -> u8> = "/functions";
    // PODE064: the least room; and words of options that need no `use`.
    signal PRICES: f64 = "/prices" { on_lag: Latest };
    signal NEWS: Vec<(u8, String)> = "/news" { capacity_messages: 1 };
    // PODE065: a port that is the scheme's own; a list that only runs.
    signal SHOP: String = "/shop" { origins: pages_of(["https://Shop.example:443"]) };
    signal SHOPS: String = "/shops" { origins: pages_of(shops()) };
}

fn shops() -> Vec<String> {
    vec!["shop.example/".to_owned()]
}

fn main() {
    let _ = (example(), CHAT, TALK, FUNCTIONS, PRICES, NEWS, SHOP, SHOPS);
}
