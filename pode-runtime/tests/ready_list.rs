//! The list of what was woken, in every order in which threads can meet at it.
//!
//! The room is compiled once more here, with loom's lock for the standard one.
//! Loom runs each model in all ways in which its threads can take turns, and
//! fails one in which a thread waits for ever.

#[path = "../src/push/engine/ready_list.rs"]
mod ready_list;

mod sync {
    pub(crate) use loom::sync::Mutex;
}

use std::future::poll_fn;
use std::task::Poll;

use loom::future::block_on;
use loom::thread;

use self::ready_list::ReadyList;

/// Waits until each of so many sources was told of as often as it is to be.
fn wait(ready_list: &ReadyList<usize>, mut expected: Vec<usize>) {
    while expected.iter().any(|times| *times > 0) {
        block_on(poll_fn(|context| {
            let mut told = false;
            ready_list.poll(context, |number| {
                told = true;
                expected[number] = expected[number].checked_sub(1).expect("it was woken as often");
            });
            if told { Poll::Ready(()) } else { Poll::Pending }
        }));
    }
}

#[test]
fn whatever_wakes_is_looked_at() {
    loom::model(|| {
        let ready_list = ReadyList::new();
        for number in 0..2 {
            let waker = ready_list.waker(number);
            thread::spawn(move || waker.wake());
        }
        wait(&ready_list, vec![1, 1]);
    });
}

#[test]
fn who_wakes_twice_is_looked_at_twice() {
    loom::model(|| {
        let ready_list = ReadyList::new();
        let waker = ready_list.waker(0);
        thread::spawn(move || {
            waker.wake_by_ref();
            waker.wake();
        });
        wait(&ready_list, vec![2]);
    });
}
