//! What faults do to nodes, to Redis and to what is between them.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::cmd;
use rustix::process::Signal;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::plan::{Fault, NODES, Plan, Step};
use crate::process::Node;
use crate::proxy::Proxy;
use crate::record::Struck;
use crate::store::{PREFIX, Store};
use crate::world::{PATIENCE, World, lock};

/// How long a node is ready without a sign of life, and somewhat more.
const CUT_OFF: Duration = Duration::from_secs(16);

/// Everything that faults happen to.
pub(crate) struct Victims {
    pub(crate) world: Arc<World>,
    pub(crate) plan: Plan,
    pub(crate) nodes: Vec<Mutex<Node>>,
    pub(crate) store: Mutex<Store>,
    pub(crate) proxies: Vec<Proxy>,
}

impl Victims {
    pub(crate) async fn run_lane(&self, lane: &[Step]) -> io::Result<()> {
        for Step { pause, fault } in lane {
            if self.plan.waits {
                let ready = timeout(PATIENCE, self.world.all_are_ready()).await;
                ready.map_err(|_| io::Error::other("the nodes aren't ready again"))?;
            }
            sleep(Duration::from_millis(*pause)).await;
            self.world.log(&format!("{fault:?}"));
            if fault.may_lose(self.plan.variant) {
                let now = self.world.now();
                lock(&self.world.record).first_loss.get_or_insert(now);
            }
            let from = self.world.now();
            self.strike(*fault).await?;
            let struck = Struck { node: fault.node(), from, to: self.world.now() };
            lock(&self.world.record).faults.push(struck);
            self.world.log(&format!("{fault:?} is over"));
        }
        Ok(())
    }

    async fn strike(&self, fault: Fault) -> io::Result<()> {
        let milliseconds = Duration::from_millis;
        match fault {
            Fault::KillNode { node, away } => {
                let mut node = self.nodes[node].lock().await;
                node.kill().await;
                sleep(milliseconds(away)).await;
                node.begin().await?;
            }
            Fault::StopNode { node, away } => {
                let stopped = &self.world.stopped[node];
                let node = self.nodes[node].lock().await;
                stopped.send_replace(true);
                node.signal(Signal::STOP);
                sleep(milliseconds(away)).await;
                node.signal(Signal::CONT);
                stopped.send_replace(false);
            }
            Fault::KillRedis { away } => {
                let mut store = self.store.lock().await;
                store.primary.kill().await;
                sleep(milliseconds(away)).await;
                store.primary.begin().await?;
            }
            Fault::RestartEmpty { away } => {
                let mut store = self.store.lock().await;
                store.primary.kill().await;
                store.primary.forget();
                sleep(milliseconds(away)).await;
                store.primary.begin().await?;
            }
            Fault::StopRedis { away } => {
                let store = self.store.lock().await;
                store.primary.signal(Signal::STOP);
                self.away_for(milliseconds(away), 0..NODES).await;
                store.primary.signal(Signal::CONT);
            }
            Fault::KillConnections => {
                let mut kill = cmd("CLIENT");
                kill.arg("KILL").arg("TYPE").arg("normal").arg("SKIPME").arg("yes");
                self.command(&kill).await?;
            }
            Fault::FlushAll => self.command(&cmd("FLUSHALL")).await?,
            Fault::Evict { stream } => {
                let mut evict = cmd("DEL");
                let path = ["/news", "/chat", "/rooms/:room:0"][stream];
                evict.arg(format!("{PREFIX}stream:{path}"));
                self.command(&evict).await?;
            }
            Fault::Promote { lag, kills } => self.promote(Some(milliseconds(lag)), kills).await?,
            Fault::FailOver => self.promote(None, true).await?,
            Fault::Cut { node } => self.proxies[node].cut(),
            Fault::CutAppend { node } => self.proxies[node].cut_append(),
            Fault::CutReply { node, bytes } => self.proxies[node].cut_reply(bytes),
            Fault::CutRequest { node, bytes } => self.proxies[node].cut_request(bytes),
            Fault::Freeze { node, away } => {
                self.proxies[node].freeze(true);
                self.away_for(milliseconds(away), node..node + 1).await;
                self.proxies[node].freeze(false);
            }
        }
        Ok(())
    }

    async fn command(&self, command: &redis::Cmd) -> io::Result<()> {
        let store = self.store.lock().await;
        let done = store.primary.ask::<redis::Value>(command).await;
        done.map(drop).map_err(io::Error::other)
    }

    async fn promote(&self, lag: Option<Duration>, kills: bool) -> io::Result<()> {
        let mut store = self.store.lock().await;
        store.promote(lag, kills, &self.proxies).await?;
        self.world.socket.send_replace(store.primary.socket());
        Ok(())
    }

    /// Lets time pass in which nodes hear nothing of Redis: after a while they must say so.
    async fn away_for(&self, away: Duration, nodes: std::ops::Range<usize>) {
        let end = Instant::now() + away;
        let before: Vec<_> = nodes.clone().map(|node| self.world.place(node)).collect();
        sleep(away.min(CUT_OFF)).await;
        let mut is_told = BTreeMap::new();
        while Instant::now() + Duration::from_millis(500) < end {
            for (node, before) in nodes.clone().zip(&before) {
                let (place, stopped) = (self.world.place(node), &self.world.stopped[node]);
                let is_same = place.as_ref().map(|place| &place.life)
                    == before.as_ref().map(|before| &before.life);
                if let Some(place) = place.filter(|_| is_same && !*stopped.borrow()) {
                    let is_ready = self.world.is_ready(&place).await;
                    is_told.entry(node).or_insert(false);
                    // One that doesn't answer gets no clients, either.
                    *is_told.entry(node).or_default() |= is_ready != Some(true);
                }
            }
            sleep(Duration::from_millis(200)).await;
        }
        for (node, _) in is_told
            .into_iter()
            .filter(|(_, is_told)| !is_told && away > CUT_OFF + Duration::from_secs(2))
        {
            self.world.wrong(format!("n{node} says that it is ready, though it hears nothing"));
        }
        tokio::time::sleep_until(end).await;
    }

    /// Returns the most memory that a node has.
    pub(crate) async fn memory(&self) -> u64 {
        let mut most = 0;
        for node in &self.nodes {
            most = most.max(node.lock().await.memory().unwrap_or_default());
        }
        most
    }
}
