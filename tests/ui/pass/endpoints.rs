//! Endpoints: valid code that is close to a mistake.

#![deny(warnings)]

use pode::Address;
use pode::prelude::*;

pode_server! {
    server endpoints(address: Address);
    // PODE040, PODE041: words that are addresses, and an expression.
    endpoint http "localhost:0";
    endpoint http "[::1]:8090";
    endpoint http address;
    // PODE042, PODE043: one address for two protocols, or the same port of
    // another address family.
    endpoint inner http "*:8090";
    endpoint outer ws "0.0.0.0:8090";
    #[cfg(any())]
    endpoint inner http "127.0.0.1:8090";
    // PODE048: all below a name, an address, and a list that is known only at
    // run time.
    endpoint wide http "*:8092" { hosts: ["*.Shop.example", "10.0.0.5", "[::1]"] };
    endpoint late http "*:8093" { hosts: vec!["shop.example".to_owned()] };
    // PODE049: networks of both versions, those that send `Forwarded`, and a
    // list that is known only at run time.
    endpoint near http "*:8094" { trusted_proxies: ["127.0.0.1", "10.0.0.0/8", "fd00::/8"] };
    endpoint rfc http "*:8095" { trusted_proxies: forwarded_by(["::1"]) };
    endpoint far http "*:8096" { trusted_proxies: vec!["::1".to_owned()] };
    // PODE044, PODE045, PODE046, PODE047: each is chosen by something.
    signal NEWS: String = "/" { endpoint: outer };
    route GET "/" => async |_| text("hello");
    route GET "/inner" { endpoint: inner } => async |_| text("hello");
}

pode_server! {
    // PODE045, PODE046: without pages and signals, no endpoint is needed.
    server clockwork;
    timer "tick" every 1s => async |_| {};
}

pode_server! {
    // PODE047: a signal that exists only in some builds counts.
    server sometimes;
    endpoint ws 8091;
    #[cfg(any())]
    signal RARE: String = "/";
}

pode_server! {
    // PODE047, PODE135: an endpoint may tell how the server is, and do nothing else,
    // and another one in other builds.
    server watched;
    endpoint ws 8091;
    endpoint inner https 9090 { certificate: self_signed() };
    #[cfg(any())]
    endpoint other http 9091;
    operations { endpoint: inner };
    #[cfg(any())]
    operations { endpoint: other };
    signal TICKS: u8 = "/";
    // PODE004: a variable may be called like it.
    timer "tick" every 1s => async |operations: TimerEvent| match operations {
        event if event.count() > 1 => event.send(TICKS, &2).await,
        event => event.send(TICKS, &1).await,
    };
}

#[test]
fn can_be_made() {
    let _ = (endpoints("127.0.0.1:0".into()), clockwork(), sometimes(), NEWS);
    let _ = (watched(), TICKS);
}
