//! A connection that is driven by whoever asks, in the same task.
//!
//! With a task of its own to drive it, a command and its answer wake that task and this
//! one. Where two tasks are woken at once, the second one takes another worker of the
//! runtime out of its sleep, which costs more than all that is done for a message.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, FromRedisValue, Pipeline, RedisResult};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Fuse};
use futures_util::task::AtomicWaker;

use crate::base::supervisor::caught;

/// How often an answer is looked for before others have their turn.
const MOST_ROUNDS: usize = 8;

pub(super) struct Connection {
    commands: MultiplexedConnection,
    /// Writes commands and reads answers; done when the connection has ended. The lock is
    /// never taken: it lets others look at what holds a connection.
    driver: Mutex<Fuse<BoxFuture<'static, ()>>>,
    woken: Arc<Woken>,
}

/// Wakes the task, unless that is looking already.
struct Woken {
    task: AtomicWaker,
    is_woken: AtomicBool,
    is_looking: AtomicBool,
}

impl Connection {
    pub(super) fn new(
        commands: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
    ) -> Connection {
        let woken = Woken {
            task: AtomicWaker::new(),
            is_woken: AtomicBool::new(true),
            is_looking: AtomicBool::new(false),
        };
        // A panic ends this connection, and no more.
        let driver = caught(driver).map(drop).boxed().fuse();
        Connection { commands, driver: Mutex::new(driver), woken: Arc::new(woken) }
    }

    /// Sends a command, and waits for its answer.
    pub(super) async fn ask<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        let mut commands = self.commands.clone();
        self.drive(command.query_async(&mut commands)).await
    }

    /// Sends commands together, and waits for their answers.
    pub(super) async fn ask_all<T: FromRedisValue>(&mut self, batch: &Pipeline) -> RedisResult<T> {
        let mut commands = self.commands.clone();
        self.drive(batch.query_async(&mut commands)).await
    }

    async fn drive<R>(&mut self, asking: impl Future<Output = R>) -> R {
        let mut asking = pin!(asking);
        let Connection { driver, woken, .. } = self;
        let driver = driver.get_mut().unwrap_or_else(PoisonError::into_inner);
        let waker = Waker::from(Arc::clone(woken));
        woken.is_woken.store(true, Ordering::SeqCst);
        poll_fn(|context| {
            woken.task.register(context.waker());
            woken.is_looking.store(true, Ordering::SeqCst);
            let context = &mut Context::from_waker(&waker);
            for _ in 0..MOST_ROUNDS {
                if !woken.is_woken.swap(false, Ordering::SeqCst) {
                    break;
                }
                // Nothing, once it is done; then there is no answer, either.
                let _ = driver.poll_unpin(context);
                if let Poll::Ready(answer) = asking.as_mut().poll(context) {
                    return Poll::Ready(answer);
                }
            }
            woken.is_looking.store(false, Ordering::SeqCst);
            if woken.is_woken.load(Ordering::SeqCst) {
                woken.task.wake();
            }
            Poll::Pending
        })
        .await
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.is_woken.store(true, Ordering::SeqCst);
        if !self.is_looking.load(Ordering::SeqCst) {
            self.task.wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use ::redis::{AsyncConnectionConfig, RedisConnectionInfo, cmd};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::coop::{has_budget_remaining, poll_proceed};

    use super::*;

    /// Answers each command by `OK`.
    async fn answer(mut stream: DuplexStream) {
        let (mut read, mut last) = ([0; 256], b'\n');
        while let Ok(count @ 1..) = stream.read(&mut read).await {
            for byte in &read[..count] {
                if (last, *byte) == (b'\n', b'*') {
                    stream.write_all(b"+OK\r\n").await.unwrap();
                }
                last = *byte;
            }
        }
    }

    async fn connection(stream: DuplexStream) -> Connection {
        let (info, config) = (RedisConnectionInfo::default(), AsyncConnectionConfig::new());
        let connecting = MultiplexedConnection::new_with_config(&info, stream, config);
        let (commands, driver) = connecting.await.unwrap();
        Connection::new(commands, driver)
    }

    #[tokio::test]
    async fn a_task_that_has_had_its_turn_gets_its_answer_in_the_next_one() {
        let (ours, theirs) = duplex(64);
        tokio::spawn(answer(theirs));
        let mut connection = connection(ours).await;
        for _ in 0..3 {
            poll_fn(|context| {
                while has_budget_remaining() {
                    if let Poll::Ready(turn) = poll_proceed(context) {
                        turn.made_progress();
                    }
                }
                Poll::Ready(())
            })
            .await;
            assert_eq!(connection.ask::<String>(&cmd("PING")).await.unwrap(), "OK");
        }
    }

    #[tokio::test]
    async fn who_asks_learns_that_the_connection_has_ended() {
        let (ours, theirs) = duplex(64);
        let answering = tokio::spawn(answer(theirs));
        let mut connection = connection(ours).await;
        connection.ask::<String>(&cmd("PING")).await.unwrap();
        answering.abort();
        for _ in 0..2 {
            connection.ask::<String>(&cmd("PING")).await.unwrap_err();
        }
    }
}
