//! What is remembered of clients, for how long, and by whom.

use tokio::time::{Instant, advance};

use super::*;

/// Has a message of a sequence handled, which is then left.
fn handle_one(sequences: &Sequences) -> SequenceId {
    let mut hold = sequences.begin(0);
    assert_eq!(sequences.receive(&mut hold, 1), Place::Next);
    drop(hold.handle(1).unwrap());
    sequences.leave(&hold);
    hold.id
}

#[tokio::test(start_paused = true)]
async fn a_sequence_is_kept_for_its_time() {
    let sequences = Sequences::default();
    let (short, longer) = (handle_one(&sequences), {
        let mut hold = sequences.begin(600);
        assert_eq!(sequences.receive(&mut hold, 1), Place::Next);
        drop(hold.handle(1).unwrap());
        sequences.leave(&hold);
        hold.id
    });
    advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) - 2)).await;
    let (hold, heard) = sequences.claim(short, 0).await.unwrap();
    assert_eq!(heard, 1);
    sequences.leave(&hold);
    // From then on, it is kept as long again.
    advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) - 2)).await;
    assert!(sequences.claim(short, 0).await.is_some());
    advance(Duration::from_secs(300)).await;
    assert!(sequences.claim(longer, 0).await.is_some());
    // It has a connection, however long that lasts.
    advance(Duration::from_secs(100_000)).await;
    assert_eq!(sequences.claim(short, 0).await.unwrap().1, 1);

    let left = handle_one(&sequences);
    advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) + 1)).await;
    assert!(sequences.claim(left, 0).await.is_none(), "it is forgotten");
    // One that began later and has had no message yet isn't.
    let hold = sequences.begin(0);
    assert_eq!(sequences.claim(hold.id, 0).await.unwrap().1, 0);
    // Of another process, nothing is known.
    let foreign = Sequences::default().begin(0).id;
    assert!(sequences.claim(foreign, 0).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn sequences_without_end_take_no_memory_without_end() {
    let sequences = Sequences::default();
    let first = handle_one(&sequences);
    for _ in 0..MAX_LEFT + 10 {
        handle_one(&sequences);
    }
    {
        let known = sequences.known();
        assert_eq!((known.left.len(), known.by_id.len()), (MAX_LEFT, MAX_LEFT));
    }
    assert!(sequences.claim(first, 0).await.is_none());
    advance(Duration::from_secs(u64::from(MIN_KEPT_SECONDS) + 1)).await;
    handle_one(&sequences);
    let known = sequences.known();
    assert_eq!(known.by_id.len(), 1);
    assert!(known.by_id.capacity() < 100, "{}", known.by_id.capacity());
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_handler_waits_for_five_seconds() {
    let sequences = Sequences::default();
    let mut hold = sequences.begin(0);
    sequences.receive(&mut hold, 1);
    let turn = hold.handle(1).unwrap();
    let began = Instant::now();
    assert!(sequences.claim(hold.id, 0).await.is_none());
    assert_eq!(began.elapsed(), CLAIM_TIMEOUT);
    drop(turn);
    // Nobody has it meanwhile, and it is known as ever.
    assert_eq!(sequences.receive(&mut hold, 2), Place::Elsewhere);
    assert_eq!(sequences.claim(hold.id, 0).await.unwrap().1, 1);

    // A process that says nothing is waited for as long.
    let (asks, _asked) = mpsc::unbounded_channel();
    sequences.ask(Some(asks));
    let foreign = Sequences::default().begin(0).id;
    let began = Instant::now();
    assert!(sequences.claim(foreign, 0).await.is_none());
    assert_eq!(began.elapsed(), CLAIM_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn what_another_process_has_is_handled_here_no_more() {
    let (older, newer) = (Sequences::default(), Sequences::default());
    let mut hold = older.begin(0);
    older.receive(&mut hold, 1);
    drop(hold.handle(1).unwrap());
    let left = older.give(hold.id).await.unwrap();
    assert_eq!(older.receive(&mut hold, 2), Place::Elsewhere);
    assert!(older.claim(hold.id, 0).await.is_none(), "also if that one dies");
    assert_eq!(older.left(), []);
    newer.take(left);
    let (mut hold, heard) = newer.claim(hold.id, 0).await.unwrap();
    assert_eq!((heard, newer.receive(&mut hold, 2)), (1, Place::Next));
    // What is told late changes nothing.
    newer.take(Left { id: hold.id, heard: 0, seconds: 9 });
    assert_eq!(newer.receive(&mut hold, 3), Place::Next);
}
