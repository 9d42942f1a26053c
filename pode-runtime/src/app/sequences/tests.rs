//! What is remembered of clients, for how long, and by whom.

use futures_util::FutureExt;
use futures_util::future::join;
use tokio::time::{Instant, advance};

use super::*;

/// Has a message of a sequence handled, which is then left.
async fn handle_one(sequences: &Sequences) -> SequenceId {
    let mut hold = sequences.begin(0);
    assert_eq!(sequences.receive(&mut hold, 1), Place::Next);
    drop(hold.handle(1).await.unwrap());
    sequences.leave(&hold);
    hold.id
}

#[tokio::test(start_paused = true)]
async fn a_sequence_is_kept_for_its_time() {
    let sequences = Sequences::default();
    let (short, longer) = (handle_one(&sequences).await, {
        let mut hold = sequences.begin(600);
        assert_eq!(sequences.receive(&mut hold, 1), Place::Next);
        drop(hold.handle(1).await.unwrap());
        sequences.leave(&hold);
        hold.id
    });
    advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) - 2)).await;
    let (hold, heard) = sequences.claim(short, 0).await.unwrap();
    assert_eq!(heard.number, 1);
    sequences.leave(&hold);
    // From then on, it is kept as long again.
    advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) - 2)).await;
    assert!(sequences.claim(short, 0).await.is_some());
    advance(Duration::from_secs(300)).await;
    assert!(sequences.claim(longer, 0).await.is_some());
    // It has a connection, however long that lasts.
    advance(Duration::from_secs(100_000)).await;
    assert_eq!(sequences.claim(short, 0).await.unwrap().1.number, 1);

    let left = handle_one(&sequences).await;
    advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) + 1)).await;
    assert!(sequences.claim(left, 0).await.is_none(), "it is forgotten");
    // One that began later and has had no message yet isn't.
    let hold = sequences.begin(0);
    assert_eq!(sequences.claim(hold.id, 0).await.unwrap().1.number, 0);
    // Of another process, nothing is known.
    let foreign = Sequences::default().begin(0).id;
    assert!(sequences.claim(foreign, 0).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn sequences_without_end_take_no_memory_without_end() {
    let sequences = Sequences::default();
    let first = handle_one(&sequences).await;
    for _ in 0..MAX_LEFT + 10 {
        handle_one(&sequences).await;
    }
    {
        let known = sequences.known();
        assert_eq!((known.left.len(), known.by_id.len()), (MAX_LEFT, MAX_LEFT));
    }
    assert!(sequences.claim(first, 0).await.is_none());
    advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) + 1)).await;
    handle_one(&sequences).await;
    let known = sequences.known();
    assert_eq!(known.by_id.len(), 1);
    assert!(known.by_id.capacity() < 100, "{}", known.by_id.capacity());
}

#[tokio::test(start_paused = true)]
async fn who_claims_is_told_at_once_what_is_being_handled() {
    let sequences = Sequences::default();
    let mut hold = sequences.begin(0);
    sequences.receive(&mut hold, 1);
    let handling = hold.clone();
    let turn = handling.handle(1).await.unwrap();
    let (mut next, heard) = sequences.claim(hold.id, 0).now_or_never().unwrap().unwrap();
    assert_eq!(heard, Heard { number: 0, handling: Some(1) });
    assert_eq!(sequences.receive(&mut hold, 2), Place::Elsewhere);
    // The client doesn't know what became of it, and no other number is the next.
    assert_eq!(sequences.receive(&mut next, 2), Place::Beyond);
    assert_eq!(sequences.receive(&mut next, 1), Place::Next);
    assert_eq!(sequences.receive(&mut next, 2), Place::Next);
    assert!(next.handle(2).now_or_never().is_none(), "one at a time");
    drop(turn);
    assert!(next.handle(1).await.is_none(), "it is handled");
    assert!(next.handle(2).await.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_process_that_says_nothing_is_waited_for_for_five_seconds() {
    let sequences = Sequences::default();
    let (asks, _asked) = mpsc::unbounded_channel();
    sequences.ask(Some(asks));
    let foreign = Sequences::default().begin(0).id;
    let began = Instant::now();
    assert!(sequences.claim(foreign, 0).await.is_none());
    assert_eq!(began.elapsed(), FETCH_TIMEOUT);
}

/// Otherwise two processes would handle it at the same time.
#[tokio::test(start_paused = true)]
async fn what_another_process_is_handling_is_waited_for() {
    for does_die in [false, true] {
        let (older, newer) = (Sequences::default(), Sequences::default());
        let (asks, mut asked) = mpsc::unbounded_channel();
        newer.ask(Some(asks));
        let mut hold = older.begin(0);
        older.receive(&mut hold, 1);
        let turn = hold.handle(1).await.unwrap();
        let answered = async {
            let left = older.give(asked.recv().await.unwrap()).unwrap();
            newer.take(left);
        };
        let (claimed, ()) = join(newer.claim(hold.id, 0), answered).await;
        let (mut next, heard) = claimed.unwrap();
        assert_eq!(heard, Heard { number: 0, handling: Some(1) });
        for number in [1, 2] {
            assert_eq!(newer.receive(&mut next, number), Place::Next);
        }
        assert!(next.handle(1).now_or_never().is_none());
        match does_die {
            true => newer.ask(None),
            false => {
                drop(turn);
                newer.take(older.finish(hold.id).await.unwrap());
                assert_eq!(older.left(), []);
            }
        }
        assert_eq!(next.handle(1).await.map(|turn| turn.may_be_repeated), does_die.then_some(true));
        assert!(!next.handle(2).await.unwrap().may_be_repeated);
    }
}

#[tokio::test]
async fn what_is_in_doubt_stays_so_in_the_next_process() {
    let (oldest, older, newer) = (Sequences::default(), Sequences::default(), Sequences::default());
    let mut hold = oldest.begin(0);
    oldest.receive(&mut hold, 1);
    let _turn = hold.handle(1).await.unwrap();
    older.take(oldest.give(hold.id).unwrap());
    older.ask(None);
    // It is claimed, or left.
    newer.take(older.left().pop().unwrap());
    let newest = Sequences::default();
    newest.take(newer.give(hold.id).unwrap());
    let (mut hold, heard) = newest.claim(hold.id, 0).await.unwrap();
    assert_eq!(heard, Heard::default());
    assert_eq!(newest.receive(&mut hold, 1), Place::Next);
    assert!(hold.handle(1).await.unwrap().may_be_repeated);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_has_is_handled_here_no_more() {
    let (older, newer) = (Sequences::default(), Sequences::default());
    let mut hold = older.begin(0);
    older.receive(&mut hold, 1);
    drop(hold.handle(1).await.unwrap());
    let left = older.give(hold.id).unwrap();
    assert_eq!(older.receive(&mut hold, 2), Place::Elsewhere);
    assert!(older.claim(hold.id, 0).await.is_none(), "also if that one dies");
    assert_eq!(older.left(), []);
    newer.take(left);
    let (mut hold, heard) = newer.claim(hold.id, 0).await.unwrap();
    assert_eq!((heard.number, newer.receive(&mut hold, 2)), (1, Place::Next));
    // What is told late changes nothing.
    newer.take(Left { id: hold.id, heard: Heard::default(), doubtful: None, seconds: 9 });
    assert_eq!(newer.receive(&mut hold, 3), Place::Next);
}

#[tokio::test]
async fn who_gives_a_message_up_leaves_those_behind_it() {
    let sequences = Sequences::default();
    let mut hold = sequences.begin(0);
    for number in 1..=3 {
        assert_eq!(sequences.receive(&mut hold, number), Place::Next);
    }
    drop(hold.handle(1).await.unwrap());
    hold.handle(2).await.unwrap().give_up();
    assert!(hold.handle(3).await.is_none());
    assert_eq!(hold.handled(), Some(1));
    assert_eq!(sequences.claim(hold.id, 0).await.unwrap().1.number, 1);
}

/// Each of two processes would wait for what the other one knows.
#[cfg(feature = "redis")]
#[tokio::test]
async fn who_gets_a_sequence_back_knows_what_became_of_what_others_wait_for() {
    for dies in [true, false] {
        let sequences = Sequences::default();
        let id = Sequences::default().begin(0).id;
        let heard = Heard { number: 0, handling: Some(1) };
        let left = || Left { id, heard, doubtful: None, seconds: 0 };
        // One process handles it; another one waits for this one, which waits for the first.
        assert!(sequences.take_from(1, left()));
        assert_eq!(sequences.give(id), Some(left()));
        match dies {
            true => sequences.lost(1),
            false => sequences.ended(id, 1, 1, Some(false)),
        }
        assert!(sequences.take_from(2, left()));
        let (mut hold, _) = sequences.claim(id, 0).await.unwrap();
        assert_eq!(sequences.receive(&mut hold, 1), Place::Next);
        let turn = hold.handle(1).now_or_never().expect("nobody is handling it").unwrap();
        assert_eq!(turn.may_be_repeated, dies);
    }
}
