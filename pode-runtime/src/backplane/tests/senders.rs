//! Clients that send numbered messages and move between the nodes: what the handler sees.

use std::collections::{BTreeMap, VecDeque};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::sequences::{Heard, Hold, Place, SequenceId, Sequences};
use crate::backplane::memory::Dice;

/// How many clients there are.
const CLIENTS: usize = 2;

/// A process, as its clients see it.
#[derive(Clone)]
pub(super) struct Served {
    sequences: Arc<Sequences>,
    /// Whether it takes nothing more, and whether nothing runs in it any more.
    closing: CancellationToken,
    ended: CancellationToken,
    connections: TaskTracker,
}

impl Served {
    pub(super) fn new(sequences: &Arc<Sequences>) -> Served {
        Served {
            sequences: Arc::clone(sequences),
            closing: CancellationToken::new(),
            ended: CancellationToken::new(),
            connections: TaskTracker::new(),
        }
    }

    /// Closes all connections, and waits for the end of handlers.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.connections.close();
        self.connections.wait().await;
    }

    /// Ends all that runs in it, wherever that is.
    pub(super) fn end(&self) {
        self.closing.cancel();
        self.ended.cancel();
    }
}

/// What the handler saw of one client.
#[derive(Default)]
struct Seen {
    begun: Vec<(u64, bool)>,
    returned: Vec<u64>,
    /// Whether it was told once that nobody knows its messages.
    was_unknown: bool,
    /// The same, after some were handled.
    was_forgotten: bool,
    said: u64,
    acknowledged: u64,
}

struct Shared {
    dice: Dice,
    processes: Mutex<Vec<Served>>,
    seen: Mutex<BTreeMap<usize, Seen>>,
    healed: CancellationToken,
}

pub(super) struct Senders {
    shared: Arc<Shared>,
    clients: JoinSet<()>,
}

impl Senders {
    pub(super) fn new(dice: &Dice) -> Senders {
        let shared = Shared {
            dice: dice.clone(),
            processes: Mutex::default(),
            seen: Mutex::default(),
            healed: CancellationToken::new(),
        };
        Senders { shared: Arc::new(shared), clients: JoinSet::new() }
    }

    pub(super) fn serve(&self, process: &Served) {
        let mut processes = self.shared.processes.lock().unwrap();
        processes.push(process.clone());
    }

    pub(super) fn begin(&mut self) {
        for name in 0..CLIENTS {
            self.clients.spawn(Client::new(name, &self.shared).run());
        }
    }

    /// Waits until all that clients have said is handled.
    pub(super) async fn heal(&mut self) {
        self.shared.healed.cancel();
        let ended = async { while self.clients.join_next().await.is_some() {} };
        assert!(timeout(Duration::from_secs(120), ended).await.is_ok(), "all are acknowledged");
    }

    /// Checks what the handlers saw; whether processes or entries were lost.
    pub(super) fn check(&self, may_repeat: bool) {
        for (name, seen) in &*self.shared.seen.lock().unwrap() {
            let Seen { begun, returned, was_unknown, said, acknowledged, .. } = seen;
            assert_eq!(said, acknowledged, "client {name}");
            for number in 1..=*said {
                let of = begun.iter().filter(|(begun, _)| *begun == number);
                let untold = of.clone().filter(|(_, may_be_repeated)| !may_be_repeated).count();
                let times = of.count();
                assert!(times > 0 && returned.contains(&number), "{number} of {name}");
                assert!(untold <= 1, "{number} of {name} is handled {untold} times untold");
                assert!(
                    times == 1 || may_repeat || *was_unknown,
                    "{number} of {name} is handled {times} times"
                );
            }
        }
    }

    /// Whether each node knew each client that came, and that had a message handled.
    pub(super) fn were_known(&self) -> bool {
        self.shared.seen.lock().unwrap().values().all(|seen| !seen.was_forgotten)
    }
}

impl Shared {
    fn milliseconds(&self, below: u64) -> Duration {
        Duration::from_millis(self.dice.below(below))
    }

    fn with<R>(&self, name: usize, work: impl FnOnce(&mut Seen) -> R) -> R {
        work(self.seen.lock().unwrap().entry(name).or_default())
    }

    fn any_process(&self) -> Option<Served> {
        let mut processes = self.processes.lock().unwrap();
        processes.retain(|process| !process.closing.is_cancelled());
        let which = self.dice.below(processes.len().max(1) as u64);
        processes.get(which as usize).cloned()
    }
}

/// A message that the client keeps.
struct Kept {
    number: u64,
    again: bool,
}

struct Client {
    name: usize,
    shared: Arc<Shared>,
    ticket: Option<SequenceId>,
    kept: VecDeque<Kept>,
}

impl Client {
    fn new(name: usize, shared: &Arc<Shared>) -> Client {
        Client { name, shared: Arc::clone(shared), ticket: None, kept: VecDeque::new() }
    }

    async fn run(mut self) {
        while !self.shared.healed.is_cancelled() || !self.kept.is_empty() {
            sleep(self.shared.milliseconds(200)).await;
            let Some(process) = self.shared.any_process() else { continue };
            let told = tokio::select! {
                told = self.connect(&process) => told,
                () = process.closing.cancelled() => None,
            };
            if let Some(hold) = told {
                self.talk(&process, hold).await;
            }
        }
    }

    /// Connects, and hears the hello; unless it gives up, or is cut off, before.
    async fn connect(&mut self, process: &Served) -> Option<Hold> {
        let shared = Arc::clone(&self.shared);
        let claiming = async {
            match self.ticket {
                Some(ticket) => process.sequences.claim(ticket, 0).await,
                None => None,
            }
        };
        let patience = match shared.dice.is(10) {
            true => shared.milliseconds(50),
            false => Duration::from_secs(30),
        };
        let claimed = timeout(patience, claiming).await.ok()?;
        let is_known = claimed.is_some();
        let (hold, heard) =
            claimed.unwrap_or_else(|| (process.sequences.begin(0), Heard::default()));
        if shared.dice.is(5) {
            process.sequences.leave(&hold);
            return None;
        }
        if is_known {
            self.is_handled(heard.number);
        } else {
            let was_unknown = self.ticket.is_some();
            shared.with(self.name, |seen| {
                seen.was_unknown |= was_unknown;
                seen.was_forgotten |= was_unknown && seen.acknowledged > 0;
            });
            self.kept.iter_mut().for_each(|kept| kept.again = true);
        }
        self.ticket = Some(hold.id);
        Some(hold)
    }

    /// Sends, and hears of what is handled, until the connection is cut.
    async fn talk(&mut self, process: &Served, hold: Hold) {
        let (frames, received) = unbounded_channel();
        let (acknowledges, mut acknowledged) = unbounded_channel();
        let connection = Connection {
            name: self.name,
            shared: Arc::clone(&self.shared),
            process: process.clone(),
            received,
            acknowledges,
        };
        process.connections.spawn(connection.serve(hold));
        let shared = Arc::clone(&self.shared);
        for kept in &self.kept {
            let _ = frames.send((kept.number, kept.again));
        }
        let mut cut = pin!(sleep(shared.milliseconds(6_000)));
        loop {
            tokio::select! {
                () = &mut cut => return,
                heard = acknowledged.recv() => match heard {
                    Some(heard) => self.is_handled(heard),
                    None => return,
                },
                () = sleep(shared.milliseconds(1_500)), if !shared.healed.is_cancelled() => {
                    let number = shared.with(self.name, |seen| {
                        seen.said += 1;
                        seen.said
                    });
                    self.kept.push_back(Kept { number, again: false });
                    let _ = frames.send((number, false));
                }
            }
        }
    }

    /// Forgets what is handled.
    fn is_handled(&mut self, heard: u64) {
        self.shared.with(self.name, |seen| {
            for kept in self.kept.iter().filter(|kept| kept.number <= heard) {
                let number = kept.number;
                assert!(seen.returned.contains(&number), "{number} of {} isn't handled", self.name);
                seen.acknowledged = number;
            }
        });
        self.kept.retain(|kept| kept.number > heard);
    }
}

/// A connection, at the server.
struct Connection {
    name: usize,
    shared: Arc<Shared>,
    process: Served,
    /// Numbers, and whether the client says that they may have been handled.
    received: UnboundedReceiver<(u64, bool)>,
    acknowledges: UnboundedSender<u64>,
}

impl Connection {
    async fn serve(mut self, mut hold: Hold) {
        let Served { sequences, closing, ended, .. } = self.process.clone();
        let (handles, mut handled) = unbounded_channel();
        let acknowledges = self.acknowledges.clone();
        let tell = move |hold: &Hold| {
            if let Some(heard) = hold.handled() {
                hold.acknowledge(heard);
                let _ = acknowledges.send(heard);
            }
        };
        let (name, shared) = (self.name, Arc::clone(&self.shared));
        let receiving = async {
            let handles = handles;
            loop {
                let received = tokio::select! {
                    received = self.received.recv() => received,
                    () = closing.cancelled() => None,
                };
                let Some((number, again)) = received else { return };
                match sequences.receive(&mut hold, number) {
                    Place::Next => handles.send((hold.clone(), number, again)).unwrap(),
                    Place::Again => tell(&hold),
                    Place::Beyond | Place::Elsewhere => return,
                }
            }
        };
        let handling = async {
            while let Some((hold, number, again)) = handled.recv().await {
                if let Some(turn) = hold.handle(number).await {
                    let may_be_repeated = again || turn.may_be_repeated;
                    shared.with(name, |seen| seen.begun.push((number, may_be_repeated)));
                    let time = if shared.dice.is(3) { 9_000 } else { 40 };
                    sleep(shared.milliseconds(time)).await;
                    shared.with(name, |seen| seen.returned.push(number));
                }
                tell(&hold);
            }
        };
        let serving = async { tokio::join!(receiving, handling) };
        let has_ended = tokio::select! {
            () = ended.cancelled() => true,
            ((), ()) = serving => false,
        };
        if !has_ended {
            sequences.leave(&hold);
        }
    }
}
