//! Redis processes: one, or a primary and its replica.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{fs, io};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, cmd};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::plan::Variant;
use crate::proxy::Proxy;

/// How long a Redis may take to start, and to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// What all keys of the server begin with.
pub(crate) const PREFIX: &str = "pode:{chaos}:";

/// A `redis-server` with a folder of its own. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Redis {
    folder: PathBuf,
    is_appending: bool,
    /// The port by which it gets all that a primary has.
    primary: Option<u16>,
    child: Option<Child>,
}

/// A term, as the nodes wrote it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Term {
    pub(crate) term: String,
    pub(crate) epoch: String,
    /// The last entry of each stream before it.
    pub(crate) heads: std::collections::HashMap<String, String>,
}

impl Redis {
    async fn start(folder: PathBuf, is_appending: bool, primary: Option<u16>) -> io::Result<Redis> {
        fs::create_dir_all(&folder)?;
        let mut redis = Redis { folder, is_appending, primary, child: None };
        redis.begin().await?;
        Ok(redis)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.join("redis.sock")
    }

    /// Starts the process, and waits until it answers.
    pub(crate) async fn begin(&mut self) -> io::Result<()> {
        let _ = fs::remove_file(self.socket());
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--repl-diskless-sync-delay", "0"]);
        command.args(["--appendonly", if self.is_appending { "yes" } else { "no" }]);
        command.args(["--appendfsync", "everysec", "--logfile", "redis.log"]);
        command.arg("--dir").arg(&self.folder).arg("--unixsocket").arg(self.socket());
        if let Some(port) = self.primary {
            command.args(["--replicaof", "127.0.0.1", &port.to_string()]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.child = Some(command.kill_on_drop(true).spawn()?);
        let answers = async {
            while self.ask::<String>(&cmd("PING")).await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        Ok(timeout(PATIENCE, answers).await?)
    }

    /// Kills the process, and waits for its end.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it has ended.
            let _ = child.kill().await;
        }
    }

    pub(crate) fn forget(&self) {
        let _ = fs::remove_dir_all(self.folder.join("appendonlydir"));
        let _ = fs::remove_file(self.folder.join("dump.rdb"));
    }

    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(self.child.as_ref(), signal);
    }

    async fn connect(socket: &Path) -> redis::RedisResult<MultiplexedConnection> {
        let client = Client::open(format!("unix://{}", socket.display()))?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        client.get_multiplexed_async_connection_with_config(&config).await
    }

    /// Has it execute a command, by a connection of its own.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> redis::RedisResult<T> {
        ask_at(&self.socket(), command).await
    }
}

/// As [`Redis::ask`], of the one at this socket.
pub(crate) async fn ask_at<T: FromRedisValue>(
    socket: &Path,
    command: &Cmd,
) -> redis::RedisResult<T> {
    command.query_async(&mut Redis::connect(socket).await?).await
}

/// Returns the terms that the Redis at this socket knows.
pub(crate) async fn terms_at(socket: &Path) -> redis::RedisResult<Vec<Term>> {
    let mut range = cmd("LRANGE");
    range.arg(format!("{PREFIX}terms")).arg(0).arg(-1);
    let written: Vec<String> = ask_at(socket, &range).await?;
    Ok(written.iter().filter_map(|term| serde_json::from_str(term).ok()).collect())
}

pub(crate) fn send_signal(child: Option<&Child>, signal: Signal) {
    let id = child.and_then(|child| Pid::from_raw(i32::try_from(child.id()?).ok()?));
    if let Some(id) = id {
        // An error means that it has ended.
        let _ = kill_process(id, signal);
    }
}

/// What the nodes have in common.
#[derive(Debug)]
pub(crate) struct Store {
    folder: PathBuf,
    pub(crate) primary: Redis,
    replica: Option<Replica>,
    begun: usize,
}

#[derive(Debug)]
struct Replica {
    redis: Redis,
    /// Between it and the primary.
    link: Proxy,
}

impl Store {
    /// # Errors
    ///
    /// `redis-server` doesn't start.
    pub(crate) async fn start(folder: &Path, variant: Variant) -> io::Result<Store> {
        let is_appending = variant == Variant::Appending;
        let primary = Redis::start(folder.join("redis-0"), is_appending, None).await?;
        let mut store = Store { folder: folder.to_owned(), primary, replica: None, begun: 1 };
        if variant == Variant::Replicated {
            store.begin_replica().await?;
        }
        Ok(store)
    }

    async fn begin_replica(&mut self) -> io::Result<()> {
        let link = Proxy::start(self.primary.socket()).await?;
        let folder = self.folder.join(format!("redis-{}", self.begun));
        self.begun += 1;
        let redis = Redis::start(folder, false, Some(link.port)).await?;
        self.replica = Some(Replica { redis, link });
        Ok(())
    }

    /// Has the replica hear nothing for some time, and then take the primary's place;
    /// without a time, it takes that when it has all.
    ///
    /// # Errors
    ///
    /// The replica has nothing yet, and doesn't get it in time.
    pub(crate) async fn promote(
        &mut self,
        lag: Option<Duration>,
        kills: bool,
        proxies: &[Proxy],
    ) -> io::Result<()> {
        let Some(Replica { mut redis, link }) = self.replica.take() else { return Ok(()) };
        timeout(PATIENCE, async {
            while offset(&redis, "master_link_status:up").await.is_none() {
                sleep(Duration::from_millis(20)).await;
            }
        })
        .await?;
        match lag {
            Some(lag) => {
                link.freeze(true);
                sleep(lag).await;
            }
            None => {
                let mut pause = cmd("CLIENT");
                pause.arg("PAUSE").arg(30_000).arg("WRITE");
                self.primary.ask::<()>(&pause).await.map_err(io::Error::other)?;
                timeout(PATIENCE, async {
                    loop {
                        let has = offset(&redis, "master_repl_offset:").await;
                        if has.is_some()
                            && has == offset(&self.primary, "master_repl_offset:").await
                        {
                            return;
                        }
                        sleep(Duration::from_millis(20)).await;
                    }
                })
                .await?;
            }
        }
        if kills {
            self.primary.kill().await;
        }
        drop(link);
        let mut alone = cmd("REPLICAOF");
        alone.arg("NO").arg("ONE");
        redis.ask::<()>(&alone).await.map_err(io::Error::other)?;
        redis.primary = None;
        for proxy in proxies {
            proxy.point_to(redis.socket());
        }
        self.primary = redis;
        self.begin_replica().await
    }
}

/// Returns what a line of `INFO replication` says behind this.
async fn offset(redis: &Redis, name: &str) -> Option<String> {
    let mut info = cmd("INFO");
    info.arg("replication");
    let info: String = redis.ask(&info).await.ok()?;
    info.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
}
