//! Both sides of a hand-over within one process, when one side is too slow.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use pode_core::Message;
use pode_core::hub::{BACKLOG, Hub, Log, LogBounds, Position, Receiver};
use tokio::net::UnixStream;
use tokio::sync::{Mutex, watch};

use super::follower::{End, Follower};
use super::leader::Leader;
use super::link::Link;
use super::predecessor::Predecessor;
use super::socket;
use super::socket::tests::path;
use super::state::{Resources, Stage, Wish};
use super::task::Claim;
use super::wire::{Frame, hear_line, read, say_line, write};
use crate::app::context::context_of;
use crate::jobs::gate::JobGate;
use crate::push::engine::{Audience, Command, Envelope};
use crate::push::publisher::Signals;
use crate::push::wire::{WireAudience, WireEnvelope};
use crate::upstream::UpstreamTasks;

fn one_path() -> (Signals, Receiver<Envelope>) {
    let (hub, mut receivers) = Hub::with_logs([("/", 16, Some(begin()))]);
    (Signals::new(hub, Duration::from_secs(5)), receivers.remove(0))
}

fn begin() -> Log<Audience> {
    Log::new(Position { epoch: 7, number: 0 }, LogBounds::default())
}

/// Takes everything from a channel.
fn taken(delivery: &mut Receiver<Envelope>) -> Vec<String> {
    let envelopes = std::iter::from_fn(|| delivery.try_next());
    let text = |message: &Message| String::from_utf8(message.payload().to_vec()).unwrap();
    let tell = |envelope: Envelope| match &envelope {
        Envelope::Command(order) => match &**order {
            Command::Drain { share, code, reason } => format!("drain {share}: {code} {reason}"),
            other => format!("{other:?}"),
        },
        envelope => text(envelope.content().unwrap().message),
    };
    envelopes.map(tell).collect()
}

#[tokio::test]
async fn a_socket_whose_folder_is_missing_says_so() {
    let (path, _folder) = path("no-folder");
    let path = path.with_file_name("missing").join("test.sock");
    let (signals, _receiver) = one_path();
    let refused = Claim::take(&path, None, &context_of(signals)).await.err().unwrap();
    let said = format!(
        "the hand-over socket `{}` can't be listened at: its folder must exist",
        path.display()
    );
    assert_eq!(refused.to_string(), said);
}

#[tokio::test]
async fn a_process_that_is_too_far_behind_is_told_where_it_goes_on() {
    let (signals, mut delivery) = one_path();
    let channel = signals.hub().channel("/").unwrap();
    channel.lead(begin(), |_| None).await.unwrap();
    let sent = BACKLOG.0 as u64 + 100;
    for number in 0..sent {
        let permit = channel.reserve().await.unwrap();
        let message = Message::text(&number.to_string());
        assert!(Envelope::Broadcast(message).publish(permit).unwrap().is_none());
        while delivery.try_next().is_some() {}
    }
    let (one, other) = UnixStream::pair().unwrap();
    let channels = vec![channel.clone()];
    let leading =
        tokio::spawn(Leader::new(Link::new(one), channels, &Arc::default()).run(signals.clone()));
    let mut other = Link::new(other);
    let (frame, _) = read(&mut other.reader).await.unwrap();
    assert!(matches!(frame, Frame::Lost { channel: 0, until: 100, back: 0 }), "{frame:?}");
    for expected in 100..sent {
        let (frame, payload) = read(&mut other.reader).await.unwrap();
        assert!(
            matches!(frame, Frame::Published { number, .. } if number == expected),
            "{frame:?}"
        );
        assert_eq!(payload, expected.to_string().as_bytes());
    }
    write(&mut other.writer, &Frame::Bye, b"").await.unwrap();
    leading.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_leads_waits_for_an_older_process_that_is_paused() {
    let (signals, mut delivery) = one_path();
    let channel = signals.hub().channel("/").unwrap();
    channel.lead(begin(), |_| None).await.unwrap();
    let (one, other) = UnixStream::pair().unwrap();
    let channels = vec![channel.clone()];
    let leading =
        tokio::spawn(Leader::new(Link::new(one), channels, &Arc::default()).run(signals.clone()));
    // More than the link holds.
    let sent = 3_000;
    for number in 0..sent {
        let permit = channel.reserve().await.unwrap();
        let message = Message::text(&format!("{number:>1000}"));
        assert!(Envelope::Broadcast(message).publish(permit).unwrap().is_none());
        while delivery.try_next().is_some() {}
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(!leading.is_finished());
    let mut other = Link::new(other);
    let mut next = 0;
    while next < sent {
        match read(&mut other.reader).await.unwrap() {
            (Frame::Alive, _) => {}
            (Frame::Published { number, .. }, _) if number == next => next += 1,
            (frame, _) => panic!("{frame:?} instead of {next}"),
        }
    }
    write(&mut other.writer, &Frame::Bye, b"").await.unwrap();
    leading.await.unwrap().unwrap();
}

/// A follower, its link, and that of the newer process.
async fn follow(signals: &Signals, drain: Duration) -> (Follower, Link, Link) {
    let context = context_of(signals.clone());
    let resources = Resources {
        signals: signals.clone(),
        tickets: Arc::clone(&context.tickets),
        sequences: Arc::clone(&context.sequences),
        gate: JobGate::default(),
        upstream_tasks: Arc::new(Mutex::new(UpstreamTasks::start(Vec::new(), Vec::new(), context))),
        accepting: watch::Sender::new(true),
        readiness: Arc::default(),
        alone: watch::Sender::new(true),
        sockets: Vec::new(),
        drain,
        stop_timeout: Duration::from_secs(1),
    };
    let mut follower = Follower::new(&resources);
    let channel = signals.hub().channel("/").unwrap();
    follower.follow(channel).await.unwrap();
    let (one, other) = UnixStream::pair().unwrap();
    (follower, Link::new(one), Link::new(other))
}

#[tokio::test]
async fn clients_that_would_miss_something_are_cut_off() {
    let (signals, mut delivery) = one_path();
    let (follower, link, mut newer) = follow(&signals, Duration::from_secs(3600)).await;
    let (stage, wish) = (watch::Sender::new(Stage::Draining), watch::Sender::new(Wish::Nothing));
    let wishes = wish.subscribe();
    let following = tokio::spawn(async move { follower.run(link, &stage, wishes, || ()).await });
    let what = || WireEnvelope::Text(WireAudience::default());
    let numbered = |number| Frame::Published { channel: 0, number, what: what() };
    write(&mut newer.writer, &numbered(0), b"first").await.unwrap();
    write(&mut newer.writer, &Frame::Lost { channel: 0, until: 500, back: 0 }, b"").await.unwrap();
    write(&mut newer.writer, &numbered(500), b"much later").await.unwrap();
    let mut said = Vec::new();
    while !said.contains(&"much later".to_owned()) {
        tokio::task::yield_now().await;
        // Clients that the drain closes in the first moments don't matter here.
        said.extend(taken(&mut delivery).into_iter().filter(|it| !it.contains("1012")));
    }
    let cut_off = "drain 65536: 1013 too slow: too many messages wait";
    assert_eq!(said, ["first", cut_off, "much later"]);
    let position = signals.hub().channel("/").unwrap().position();
    assert_eq!(position, Some(Position { epoch: 7, number: 501 }));
    drop(newer);
    assert!(matches!(following.await.unwrap(), End::Alone));
    drop(wish);
}

/// Nobody is left alone if the newer process hangs just when the last client was
/// told to go there.
#[tokio::test]
async fn the_older_process_leaves_only_after_a_sign_of_life() {
    let (signals, mut delivery) = one_path();
    let (follower, link, mut newer) = follow(&signals, Duration::ZERO).await;
    let (stage, wish) = (watch::Sender::new(Stage::Draining), watch::Sender::new(Wish::Nothing));
    let (mut stages, wishes) = (stage.subscribe(), wish.subscribe());
    let following = tokio::spawn(async move { follower.run(link, &stage, wishes, || ()).await });
    while taken(&mut delivery).is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*stages.borrow(), Stage::Draining);
    write(&mut newer.writer, &Frame::Alive, b"").await.unwrap();
    stages.wait_for(|stage| *stage == Stage::Drained).await.unwrap();
    drop((newer, wish));
    assert!(matches!(following.await.unwrap(), End::Alone));
}

#[tokio::test(start_paused = true)]
async fn a_newer_process_that_hangs_loses_its_role_before_the_link_ends() {
    let (signals, mut delivery) = one_path();
    // Clients take what they get, also when they are told to reconnect.
    tokio::spawn(async move { while delivery.next().await.is_some() {} });
    let (follower, link, mut newer) = follow(&signals, Duration::from_secs(3600)).await;
    let (stage, wish) = (watch::Sender::new(Stage::Draining), watch::Sender::new(Wish::Nothing));
    let wishes = wish.subscribe();
    let (take_back, taken_back) = tokio::sync::oneshot::channel();
    let following = tokio::spawn(async move {
        follower.run(link, &stage, wishes, || take_back.send(()).unwrap()).await
    });
    assert!(matches!(following.await.unwrap(), End::Alone));
    taken_back.await.unwrap();
    let end = loop {
        match read(&mut newer.reader).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(end.kind(), std::io::ErrorKind::UnexpectedEof);
    drop(wish);
}

/// What a newer process finds that was stopped during its start, while the older
/// one gave up on it.
#[tokio::test]
async fn who_wakes_up_after_the_older_process_went_on_takes_nothing_over() {
    let (path, _folder) = path("late");
    for goes_on in [true, false] {
        let mut older = socket::listen(&path).unwrap();
        let handing = async {
            let (mut stream, _) = older.0.accept().await.unwrap();
            say_line(&mut stream).await.unwrap();
            hear_line(&mut stream).await.unwrap();
            let frame = Frame::Sockets { process: 1, sockets: Vec::new() };
            write(&mut stream, &frame, b"").await.unwrap();
            socket::send(&stream, older.0.as_fd()).await.unwrap();
            stream
        };
        let (stream, found) = tokio::join!(handing, Predecessor::find(&path));
        older.1.is_own = false;
        let renewed = if goes_on { Some(socket::listen(&path).unwrap()) } else { None };
        drop((stream, older));
        let (signals, _delivery) = one_path();
        let taken_over = found.unwrap().unwrap().take_place(&context_of(signals)).await;
        match taken_over {
            Ok((mut listener, lead)) => {
                assert!(!goes_on && lead.is_none());
                assert!(listener.is_found());
                listener.keep();
            }
            Err(error) => {
                assert!(goes_on);
                assert!(error.to_string().contains("took too long to start"), "{error}");
                assert!(path.exists(), "it is the older one's");
            }
        }
        drop(renewed);
    }
}

#[tokio::test]
async fn what_the_newer_process_took_and_never_gave_back_is_sent_here() {
    let (signals, mut delivery) = one_path();
    let (follower, link, mut newer) = follow(&signals, Duration::from_secs(3600)).await;
    let (stage, wish) = (watch::Sender::new(Stage::Draining), watch::Sender::new(Wish::Nothing));
    let wishes = wish.subscribe();
    let following = tokio::spawn(async move { follower.run(link, &stage, wishes, || ()).await });
    let mut sending = Vec::new();
    for number in 0..6 {
        let signals = signals.clone();
        let message = Envelope::Broadcast(Message::text(&number.to_string()));
        sending.push(tokio::spawn(async move { signals.post("/", None, message).await }));
        let (frame, payload) = loop {
            match read(&mut newer.reader).await.unwrap() {
                (Frame::Alive, _) => {}
                said => break said,
            }
        };
        assert!(matches!(frame, Frame::Sent { channel: 0, .. }), "{frame:?}");
        assert_eq!(payload, number.to_string().as_bytes());
    }
    // One comes back, after a message of the newer process.
    let what = WireEnvelope::Text(WireAudience::default());
    let frame = Frame::Published { channel: 0, number: 0, what };
    write(&mut newer.writer, &frame, b"newer").await.unwrap();
    write(&mut newer.writer, &Frame::Back { channel: 0, number: 1 }, b"").await.unwrap();
    let mut sending = sending.into_iter();
    sending.next().unwrap().await.unwrap().unwrap();
    assert!(sending.as_slice().iter().all(|sending| !sending.is_finished()));
    drop(newer);
    let mut said = Vec::new();
    while !following.is_finished() {
        said.extend(taken(&mut delivery));
        tokio::task::yield_now().await;
    }
    assert!(matches!(following.await.unwrap(), End::Alone));
    for sending in sending {
        sending.await.unwrap().unwrap();
    }
    said.extend(taken(&mut delivery));
    said.retain(|it| !it.contains("1012"));
    assert_eq!(said, ["newer", "0", "1", "2", "3", "4", "5"]);
    // The newer process may have given number 2, too.
    let channel = signals.hub().channel("/").unwrap();
    assert_eq!(channel.log().unwrap().with(|log| log.earlier().to_vec()), [(7, 2)]);
    assert_ne!(channel.position().unwrap().epoch, 7);
    signals.post("/", None, Envelope::Broadcast(Message::text("alone"))).await.unwrap();
    assert_eq!(taken(&mut delivery), ["alone"]);
}
