//! The list of woken sources, in every order in which threads can access it.
//!
//! The list is compiled again here, with loom's lock instead of the standard
//! one. Loom runs each model in all orders in which its threads can interleave,
//! and fails it if a thread waits for ever.

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

/// Waits until the list has reported each source as often as expected.
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
