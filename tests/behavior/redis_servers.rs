//! The Redis behind a backplane: one that Sentinels choose, and one by TLS.

use std::net::TcpListener;
use std::process::Stdio;
use std::time::Duration;

use pode::prelude::*;
use pode::{Protocol, RunningServer};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::support::{Client, Folder, Process, installed, start, within};
use crate::tls::authority::Authority;

pode_server! {
    server shop(redis: String) { send_timeout: 100s };
    backplane redis redis;
    endpoint ws "127.0.0.1:0";
    signal CHAT: u64 = "/chat" { history_messages: 100 };
}

mod trusting {
    use pode::prelude::*;

    pode_server! {
        pub(super) server shop(redis: String, authority: String);
        backplane redis redis { roots: roots_of(authority) };
        endpoint ws "127.0.0.1:0";
        signal CHAT: u64 = "/chat" { history_messages: 100 };
    }
}

/// A Redis or a Sentinel.
struct Listening {
    process: Process,
    port: u16,
}

impl Listening {
    /// Starts a server with these arguments at a free port.
    async fn start(folder: &Folder, arguments: &[&str]) -> Listening {
        Listening::start_at("--port", folder, arguments).await
    }

    /// The same, where that option says at which port.
    async fn start_at(option: &str, folder: &Folder, arguments: &[&str]) -> Listening {
        loop {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = Command::new(installed("redis-server"));
            command.args(arguments).args([option, &port.to_string(), "--bind", "127.0.0.1"]);
            command.args(["--save", "", "--dir", &folder.file("")]).stdout(Stdio::null());
            let process = Process::start(&mut command);
            // Unless somebody else was quicker to take the port.
            while !process.has_ended() {
                if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                    return Listening { process, port };
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    async fn command(&self, password: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(installed("redis-cli"));
        command.args(["-p", &self.port.to_string(), "-a", password, "--no-auth-warning"]);
        let answer = command.args(arguments).output().await.unwrap().stdout;
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Waits until it answers as expected.
    async fn answers(&self, password: &str, arguments: &[&str], is_it: impl Fn(&str) -> bool) {
        let answer = async {
            while !is_it(&self.command(password, arguments).await) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        within(answer, &arguments.join(" ")).await;
    }
}

async fn sentinel(name: &str, folder: &Folder, primary: &Listening) -> Listening {
    let config = folder.file(name);
    let written = format!(
        "sentinel monitor mymaster 127.0.0.1 {} 2\n\
         sentinel auth-pass mymaster red\n\
         sentinel down-after-milliseconds mymaster 2000\n\
         sentinel failover-timeout mymaster 20000\n\
         requirepass blue\n",
        primary.port
    );
    std::fs::write(&config, written).unwrap();
    let sentinel = Listening::start(folder, &[&config, "--sentinel"]).await;
    // It looks more often than it would, and goes on after being held up.
    let debug = "sentinel debug info-period 100 publish-period 100 ask-period 100 tilt-period 100";
    let answer = sentinel.command("blue", &debug.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(answer.trim(), "OK");
    sentinel
}

async fn connect(server: &RunningServer) -> (Client, Value) {
    let address = server.address(Protocol::Ws).unwrap();
    let headers = [("sec-websocket-protocol", "pode.v1")];
    let (mut client, _) = Client::handshake(address, "/chat", &headers).await.unwrap();
    let hello = hear(&mut client).await;
    assert!(hear(&mut client).await["live"].is_number());
    (client, hello)
}

async fn hear(client: &mut Client) -> Value {
    serde_json::from_str(&client.text().await).unwrap()
}

/// A replica is promoted, which has all that there was. The Sentinel that is named first is
/// away, and all have passwords.
#[tokio::test]
async fn nodes_go_on_at_the_redis_that_sentinels_promote() {
    let folder = Folder::new("sentinels");
    let passwords = ["--requirepass", "red", "--masterauth", "red"];
    let primary = Listening::start(&folder, &passwords).await;
    let of_primary = ["--replicaof", "127.0.0.1", &primary.port.to_string()];
    let replica = Listening::start(&folder, &[&passwords[..], &of_primary[..]].concat()).await;
    replica.answers("red", &["info", "replication"], |it| it.contains("link_status:up")).await;
    let mut sentinels = Vec::new();
    for name in ["one.conf", "two.conf", "three.conf"] {
        sentinels.push(sentinel(name, &folder, &primary).await);
    }
    for sentinel in &sentinels {
        let is_known = |it: &str| it.contains("num-slaves\n1\n") && it.contains("sentinels\n2\n");
        sentinel.answers("blue", &["sentinel", "master", "mymaster"], is_known).await;
    }
    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hosts: Vec<_> = sentinels.iter().map(|it| format!("127.0.0.1:{}", it.port)).collect();
    let (hosts, query) = (hosts.join(","), "sentinel_password=blue");
    let url = format!("redis+sentinel://:red@127.0.0.1:{away},{hosts}/mymaster?{query}");
    let (one, other) = (start(shop(url.clone())).await, start(shop(url)).await);
    let ((mut ada, before), (mut bob, _)) = (connect(&one).await, connect(&other).await);

    for number in 0..20 {
        let from = if number % 2 == 0 { &one } else { &other };
        from.signals().send(CHAT, &number).await.unwrap();
    }
    let last = ["xrevrange", "pode:{shop}:stream:/chat", "+", "-", "count", "1"];
    let sent = primary.command("red", &last).await;
    replica.answers("red", &last, |it| it == sent).await;
    primary.process.signal("-KILL");
    for number in 20..40 {
        let from = if number % 2 == 0 { &one } else { &other };
        from.signals().send(CHAT, &number).await.unwrap();
    }
    for client in [&mut ada, &mut bob] {
        let (mut next, mut epoch) = (0, Value::Null);
        while next < 40 {
            let heard = hear(client).await;
            assert!(heard.get("gap").is_none(), "{heard}");
            if heard["data"].is_number() {
                assert_eq!(heard["data"], next);
                next += 1;
            } else {
                assert_eq!((next, epoch.is_null()), (20, true), "{heard}");
                epoch = heard["epoch"].clone();
            }
        }
        assert!(epoch.is_string() && epoch != before["epoch"], "{epoch}");
    }
    for node in [one, other] {
        node.stop().await;
    }
}

/// Returns what docs/scaling.md says that the user of a node is permitted.
fn rights() -> impl Iterator<Item = &'static str> {
    let (_, rights) = include_str!("../../docs/scaling.md").split_once("ACL SETUSER").unwrap();
    let (rights, _) = rights.split_once("```").unwrap();
    rights.split_whitespace().filter(|right| right.starts_with('+'))
}

#[tokio::test]
async fn what_the_user_of_a_node_needs_is_missed_at_the_start() {
    let folder = Folder::new("rights");
    let redis = Listening::start(&folder, &["--requirepass", "red"]).await;
    let url_without = async |user: &'static str, without: &str| {
        let mut set = vec!["ACL", "SETUSER", user, "on", ">secret", "~pode:{shop}:*", "-@all"];
        set.extend(rights().filter(|right| *right != without));
        assert_eq!(redis.command("red", &set).await.trim(), "OK");
        format!("redis://{user}:secret@127.0.0.1:{}", redis.port)
    };
    let refused = async |user: &'static str, without: &str| {
        let server = shop(url_without(user, without).await);
        server.start().await.unwrap_err().to_string()
    };
    let (multi, xinfo) = tokio::join!(refused("a", "+multi"), refused("b", "+xinfo|stream"));
    assert!(multi.contains("'multi'"), "{multi}");
    assert!(xinfo.contains("can't run this command"), "{xinfo}");

    let node = start(shop(url_without("c", "").await)).await;
    let (mut ada, _) = connect(&node).await;
    node.signals().send(CHAT, &7).await.unwrap();
    assert_eq!(hear(&mut ada).await["data"], 7);
    node.stop().await;
}

#[tokio::test]
async fn a_redis_of_an_own_authority_is_trusted_by_roots() {
    let folder = Folder::new("redis-tls");
    let authority = Authority::new();
    let issued = authority.issue(&["localhost", "127.0.0.1"]);
    let [root, chain, key] = ["root.pem", "chain.pem", "key.pem"].map(|name| folder.file(name));
    for (file, content) in [(&root, &authority.pem()), (&chain, &issued.chain), (&key, &issued.key)]
    {
        std::fs::write(file, content).unwrap();
    }
    let files = ["--tls-cert-file", &chain, "--tls-key-file", &key, "--tls-ca-cert-file", &root];
    let arguments = ["--port", "0", "--tls-auth-clients", "no"];
    let arguments = [&files[..], &arguments[..]].concat();
    let redis = Listening::start_at("--tls-port", &folder, &arguments).await;
    let url = format!("rediss://localhost:{}", redis.port);
    // A Sentinel tells its address.
    let config = folder.file("sentinel.conf");
    let monitor = format!("sentinel monitor mymaster 127.0.0.1 {} 1\n", redis.port);
    std::fs::write(&config, monitor).unwrap();
    let by_tls = ["--sentinel", "--tls-replication", "yes"];
    let arguments = [&[&*config], &by_tls[..], &arguments[..]].concat();
    let sentinel = Listening::start_at("--tls-port", &folder, &arguments).await;
    let of_sentinel = format!("rediss+sentinel://localhost:{}/mymaster", sentinel.port);
    for url in [&url, &of_sentinel] {
        let node = start(trusting::shop(url.clone(), root.clone())).await;
        let (mut ada, _) = connect(&node).await;
        node.signals().send(trusting::CHAT, &7).await.unwrap();
        assert_eq!(hear(&mut ada).await["data"], 7);
        node.stop().await;
    }

    let refused = shop(url).start().await.unwrap_err().to_string();
    assert!(refused.contains("`roots: roots_of("), "{refused}");
    let missing = trusting::shop("rediss://localhost".to_owned(), folder.file("no.pem"));
    let missing = missing.start().await.unwrap_err().to_string();
    let told = format!(
        "the roots in `{0}` can't be used: there is no file at `{0}`",
        folder.file("no.pem")
    );
    assert!(missing.ends_with(&told), "{missing}");
}
