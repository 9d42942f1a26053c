//! A thousand clients in a hundred groups that connect, disconnect and change
//! groups while messages are sent to some of them: a model says which client
//! gets which message.

use std::collections::HashSet;
use std::sync::Arc;

use pode::prelude::*;
use pode::{Clients, Protocol, RunningServer};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message as Frame;

use crate::support::{Client, start};

const CLIENTS: usize = 1_000;
const GROUPS: usize = 100;
const STEPS: usize = 1_500;
const CASES: u32 = 4;

pode_server! {
    server crowd;
    endpoint ws "127.0.0.1:0";
    signal CROWD: usize = "/";
    on connect CROWD => enter;
}

/// Lets a client name itself and its group: `?ada&7`.
async fn enter(event: ConnectEvent<usize>) -> Result<(), EventError> {
    let (id, group) = event.query().split_once('&').unwrap_or_default();
    event.set_client_id(id.parse().map_err(|_| EventError::new(400, "who are you?"))?);
    event.join_group(group);
    Ok(())
}

/// The next step. A message is the number of its step.
#[derive(Clone, Copy, Debug)]
enum Step {
    ToAll,
    ToAllExcept(usize),
    ToGroup(usize),
    ToGroupExcept(usize, usize),
    ToClient(usize),
    Join(usize, usize),
    Leave(usize, usize),
    /// The server closes a client, and another replaces it.
    Close(usize, usize),
    /// A client closes its connection, and another replaces it.
    Goodbye(usize, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let client = || 0..CLIENTS;
    let group = || 0..GROUPS;
    prop_oneof![
        1 => Just(Step::ToAll),
        1 => client().prop_map(Step::ToAllExcept),
        8 => group().prop_map(Step::ToGroup),
        4 => (group(), client()).prop_map(|(group, client)| Step::ToGroupExcept(group, client)),
        8 => client().prop_map(Step::ToClient),
        8 => (client(), group()).prop_map(|(client, group)| Step::Join(client, group)),
        4 => (client(), group()).prop_map(|(client, group)| Step::Leave(client, group)),
        3 => (client(), group()).prop_map(|(client, group)| Step::Close(client, group)),
        3 => (client(), group()).prop_map(|(client, group)| Step::Goodbye(client, group)),
    ]
}

/// One client, and the model's expectations of it.
struct Member {
    id: ClientId,
    groups: HashSet<usize>,
    expected: Vec<usize>,
    /// Ends with the received messages.
    hearing: JoinHandle<Vec<usize>>,
    /// Makes it close its connection.
    goodbye: Arc<Notify>,
}

/// Marks the end of all messages.
const END: usize = usize::MAX;

async fn hear(mut client: Client, goodbye: Arc<Notify>) -> Vec<usize> {
    let mut heard = Vec::new();
    loop {
        let message = tokio::select! {
            biased;
            () = goodbye.notified() => {
                client.leave(1000).await;
                return heard;
            }
            message = client.message() => message,
        };
        match message {
            Frame::Text(number) => match number.parse() {
                Ok(END) => return heard,
                Ok(number) => heard.push(number),
                Err(error) => panic!("{number}: {error}"),
            },
            Frame::Close(_) => return heard,
            other => panic!("what is {other:?}?"),
        }
    }
}

impl Member {
    async fn come(server: &RunningServer, number: usize, group: usize) -> Member {
        let address = server.address(Protocol::Ws).unwrap();
        let id = format!("client-{number}");
        let client = Client::connect_at(address, &format!("/?{id}&group-{group}")).await.unwrap();
        let goodbye = Arc::new(Notify::new());
        let hearing = tokio::spawn(hear(client, Arc::clone(&goodbye)));
        let (id, groups) = (id.parse().unwrap(), HashSet::from([group]));
        Member { id, groups, expected: Vec::new(), hearing, goodbye }
    }
}

/// The real clients and their model.
struct Crowd<'server> {
    server: &'server RunningServer,
    clients: Clients,
    members: Vec<Member>,
    /// How many have connected.
    came: usize,
}

/// Whether a message is for a member, by its number.
type Filter = dyn Fn(usize, &Member) -> bool;

impl Crowd<'_> {
    async fn take(&mut self, number: usize, step: Step) -> Result<(), TestCaseError> {
        let signals = self.server.signals();
        let group_name = |group| format!("group-{group}");
        let id = |client: usize| self.members[client].id.clone();
        let message = signals.send(CROWD, &number);
        let is_meant: Box<Filter> = match step {
            Step::ToAll => {
                message.await.unwrap();
                Box::new(|_, _| true)
            }
            Step::ToAllExcept(client) => {
                message.except(&id(client)).await.unwrap();
                Box::new(move |other, _| other != client)
            }
            Step::ToGroup(group) => {
                message.to_group(&group_name(group)).await.unwrap();
                Box::new(move |_, member| member.groups.contains(&group))
            }
            Step::ToGroupExcept(group, client) => {
                message.to_group(&group_name(group)).except(&id(client)).await.unwrap();
                Box::new(move |other, member| other != client && member.groups.contains(&group))
            }
            Step::ToClient(client) => {
                message.to_client(&id(client)).await.unwrap();
                Box::new(move |other, _| other == client)
            }
            Step::Join(client, group) => {
                self.clients.join_group(&id(client), &group_name(group)).await.unwrap();
                self.members[client].groups.insert(group);
                return Ok(());
            }
            Step::Leave(client, group) => {
                self.clients.leave_group(&id(client), &group_name(group)).await.unwrap();
                self.members[client].groups.remove(&group);
                return Ok(());
            }
            Step::Close(client, group) => {
                self.clients.close(&id(client), 4000, "another comes").await.unwrap();
                return self.replace(client, group, true).await;
            }
            Step::Goodbye(client, group) => return self.replace(client, group, false).await,
        };
        for (client, member) in self.members.iter_mut().enumerate() {
            if is_meant(client, member) {
                member.expected.push(number);
            }
        }
        Ok(())
    }

    /// Replaces a client by a new one.
    async fn replace(
        &mut self,
        client: usize,
        group: usize,
        is_closed: bool,
    ) -> Result<(), TestCaseError> {
        self.came += 1;
        let newcomer = Member::come(self.server, self.came, group).await;
        let gone = std::mem::replace(&mut self.members[client], newcomer);
        if is_closed {
            // All earlier messages arrived before the close frame.
            prop_assert_eq!(gone.hearing.await.unwrap(), gone.expected);
        } else {
            gone.goodbye.notify_one();
            let heard = gone.hearing.await.unwrap();
            prop_assert!(gone.expected.starts_with(&heard), "{heard:?} {:?}", gone.expected);
        }
        Ok(())
    }

    /// Compares each client's messages with the model.
    async fn end(self) -> Result<(), TestCaseError> {
        let mut groups = self.clients.groups().await.unwrap();
        let mut expected: Vec<_> = self.members.iter().flat_map(|member| &member.groups).collect();
        expected.sort();
        expected.dedup();
        let mut expected: Vec<_> = expected.iter().map(|group| format!("group-{group}")).collect();
        expected.sort();
        groups.sort();
        prop_assert_eq!(groups, expected);
        self.server.signals().send(CROWD, &END).await.unwrap();
        for member in self.members {
            prop_assert_eq!(member.hearing.await.unwrap(), member.expected);
        }
        Ok(())
    }
}

async fn run(steps: &[Step]) -> Result<(), TestCaseError> {
    let server = start(crowd()).await;
    let clients = server.signals().clients(CROWD);
    let mut members = Vec::new();
    for number in 0..CLIENTS {
        members.push(Member::come(&server, number, number % GROUPS).await);
    }
    let mut crowd = Crowd { server: &server, clients, members, came: CLIENTS };
    for (number, step) in steps.iter().enumerate() {
        crowd.take(number, *step).await?;
    }
    crowd.end().await
}

#[test]
fn everyone_gets_what_is_meant_for_them() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let config = Config {
        cases: CASES,
        max_shrink_iters: 30,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
    let tried = runner.run(&prop::collection::vec(step(), STEPS / 2..STEPS), |steps| {
        runtime.block_on(run(&steps))
    });
    if let Err(TestError::Fail(reason, steps)) = tried {
        panic!("{reason} after {} steps: {steps:?}", steps.len());
    }
    tried.unwrap();
}
