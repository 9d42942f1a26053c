//! Writing: what a client gets of its messages, from the batch, its send queue and its
//! place in the log, as far as its socket takes it.

use std::io::{self, IoSlice};

use bytes::Bytes;
use pode_core::frame::Close;
use pode_core::hub::{Frames, LogGap, Snapshot};

use super::super::behind::{Behind, LogReader};
use super::super::envelope::Why;
use super::super::form::{self, Batch, Form, Told};
use super::super::policy::{OnLag, SubscriberPolicy};
use super::super::send_queue::{SendQueue, SlowConsumer};
use super::{Client, Phase, SendOutcome};
use crate::base::log::ration::rationed;
use crate::push::session::DisconnectReason;

/// The maximum number of frames in one write.
const SLICES_PER_WRITE: usize = 64;

impl Client {
    /// Writes a batch, and queues references to the frames that the socket
    /// doesn't take; at a signal with history, it gets them from the log. A client
    /// that is being closed, or gets all from the log, gets none of it.
    pub(in super::super) fn send(
        &mut self,
        batch: &Batch,
        policy: &SubscriberPolicy,
    ) -> SendOutcome {
        if self.phase != Phase::Open {
            return SendOutcome::All;
        }
        let joined = &batch.in_form(self.form()).joined;
        let mut written = 0;
        if self.send_queue.is_none()
            && let Some(socket) = &mut self.socket
        {
            match socket.write(&[IoSlice::new(joined)]) {
                Ok(all) if all == joined.len() => return SendOutcome::All,
                Ok(part) => written = part,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    self.phase = Phase::Broken;
                    return SendOutcome::Broken;
                }
            }
        }
        self.queue(batch, policy, written)
    }

    /// Queues what the socket didn't take of a batch. Apart, so that what most clients
    /// need stays short.
    #[inline(never)]
    fn queue(
        &mut self,
        batch: &Batch,
        policy: &SubscriberPolicy,
        mut written: usize,
    ) -> SendOutcome {
        if self.behind().is_some() {
            return SendOutcome::All;
        }
        let gap = match self.form() {
            Form::Plain => Bytes::new(),
            form => form.told(form::gap(None, Why::Lag)),
        };
        let frames = &batch.in_form(self.form()).frames;
        let send_queue = self.send_queue.get_or_insert_default();
        let mut missed = 0;
        for (number, frame) in (batch.first.unwrap_or_default()..).zip(frames) {
            if written >= frame.len() {
                written -= frame.len();
            } else if written > 0 {
                send_queue.begun = match policy.has_history {
                    // Whoever is behind holds no message.
                    true => Bytes::copy_from_slice(&frame[written..]),
                    false => frame.slice(written..),
                };
                written = 0;
            } else if policy.has_history {
                send_queue.behind = Some(Behind::new(number, false, None));
                return SendOutcome::Behind;
            } else {
                match send_queue.push(frame.clone(), policy.limits, &gap) {
                    Ok(messages) => missed += messages,
                    Err(SlowConsumer) => return SendOutcome::SlowConsumer,
                }
            }
        }
        // The system reports a socket as writable only after a write was
        // refused.
        self.write(None);
        match (self.phase, missed) {
            (Phase::Broken, _) => SendOutcome::Broken,
            (_, 0) => SendOutcome::All,
            (_, messages) => SendOutcome::Missed(messages),
        }
    }

    /// Tells the client of a change of who is present, or notes that it is to be told, if
    /// something waits for it. Returns whether the connection goes on.
    pub(in super::super) fn tell_presence(&mut self, told: &Told) -> bool {
        let form = self.form();
        if self.phase != Phase::Open || !form.is_told() {
            return true;
        }
        let frame = told.in_form(form);
        if self.send_queue.is_none()
            && let Some(socket) = &mut self.socket
        {
            match socket.write(&[IoSlice::new(frame)]) {
                Ok(all) if all == frame.len() => return true,
                Ok(part) => {
                    self.send_queue.get_or_insert_default().begun =
                        Bytes::copy_from_slice(&frame[part..]);
                    // As in `queue`.
                    self.write(None);
                    return self.phase != Phase::Broken;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => {
                    self.phase = Phase::Broken;
                    return false;
                }
            }
        }
        self.send_queue.get_or_insert_default().here_is_due = true;
        true
    }

    /// Writes what waits, as far as the socket takes it, and with a log, some of what
    /// the client gets from there. Returns whether it can go on at once.
    pub(super) fn write(&mut self, log: Option<&mut LogReader<'_>>) -> bool {
        match self.try_write(log) {
            Ok(is_more) => is_more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => false,
            Err(_) => {
                self.phase = Phase::Broken;
                false
            }
        }
    }

    fn try_write(&mut self, log: Option<&mut LogReader<'_>>) -> io::Result<bool> {
        self.write_queue()?;
        if let Some(log) = log {
            if self.behind().is_some() {
                self.catch_up(log)?;
                self.write_queue()?;
            }
            let is_due = |it: &&mut Box<SendQueue>| it.here_is_due && it.behind.is_none();
            if self.socket.is_some()
                && let Some(send_queue) = self.send_queue.as_mut().filter(is_due)
            {
                // All else is written.
                send_queue.here_is_due = false;
                let form = self.speaks.form();
                let here = log.here(&self.subscriber).map(|frame| form.told(frame));
                send_queue.preface.extend(here);
                self.write_queue()?;
            }
        }
        let is_behind = self.behind().is_some();
        let Some(socket) = &mut self.socket else { return Ok(false) };
        if is_behind {
            return Ok(true);
        }
        socket.flush()?;
        if self.phase == Phase::Closing && self.reading.is_finished() {
            socket.finish()?;
            self.phase = Phase::ShutDown;
        }
        Ok(false)
    }

    fn write_queue(&mut self) -> io::Result<()> {
        // What comes first of all is made when it is admitted.
        if self.phase == Phase::Joining {
            return Ok(());
        }
        let Some(socket) = &mut self.socket else { return Ok(()) };
        if let Some(send_queue) = &mut self.send_queue {
            while !send_queue.is_empty() {
                let mut slices = [IoSlice::new(&[]); SLICES_PER_WRITE];
                let written = socket.write(send_queue.slices(&mut slices))?;
                send_queue.advance(written);
                self.liveness.show();
            }
            if send_queue.behind.is_none() && !send_queue.here_is_due {
                self.send_queue = None;
            }
        }
        Ok(())
    }

    /// Writes the next messages that the client gets from the log. What the socket
    /// doesn't take stays there, except for the rest of the frame that was begun.
    fn catch_up(&mut self, log: &mut LogReader<'_>) -> io::Result<()> {
        let form = self.form();
        let Client { socket: Some(socket), send_queue: Some(send_queue), subscriber, .. } = self
        else {
            return Ok(());
        };
        let Some(behind) = &mut send_queue.behind else { return Ok(()) };
        let next = match log.read(behind, subscriber, form) {
            Ok(next) => next,
            Err(gap) => {
                self.overtaken(gap, log);
                return Ok(());
            }
        };
        let Frames { bytes, .. } = &log.read.frames;
        let mut reached = next;
        if !bytes.is_empty() {
            let written = socket.write(&[IoSlice::new(bytes)])?;
            self.liveness.show();
            if written < bytes.len() {
                let (end, number) = log.read.frames.cut(written);
                if end < bytes.len() {
                    reached = number;
                }
                // A copy, so that it holds nothing but itself.
                send_queue.begun = Bytes::copy_from_slice(&bytes[written..end]);
            }
        }
        behind.number = reached;
        if reached >= behind.until.unwrap_or(log.live) {
            let is_told = behind.is_told && behind.until.is_none();
            send_queue.behind = None;
            if is_told {
                send_queue.here_is_due = false;
                let told = log.here(subscriber).into_iter().chain([form::live(log.live)]);
                send_queue.preface.extend(told.map(|frame| form.told(frame)));
            }
        }
        Ok(())
    }

    /// Does with a client whose next message isn't kept any more as its signal
    /// declares.
    fn overtaken(&mut self, gap: LogGap, log: &LogReader<'_>) {
        let (form, on_lag) = (self.form(), log.on_lag);
        let Some(send_queue) = self.send_queue.as_mut().filter(|_| on_lag != OnLag::Disconnect)
        else {
            rationed!(info, "cut off a client that reads too slowly");
            return self.close(&Close::TOO_SLOW, DisconnectReason::Lagged);
        };
        tracing::debug!("a client reads too slowly for some messages");
        let Some(behind) = &mut send_queue.behind else { return };
        if log.has_keys {
            let others_from = gap.until.max(behind.number);
            let (first_value, until) = log.state(&self.subscriber);
            behind.go_on_at(match form {
                // What it has already comes no more.
                Form::Plain => behind.number,
                Form::V1 | Form::Events => first_value.min(others_from),
            });
            behind.snapshot = Some(Snapshot { until, others_from });
            if form.is_told() {
                behind.is_told = true;
                let reset = form.told(form::reset(behind.number));
                send_queue.owe(reset);
            }
            return;
        }
        let number = match on_lag {
            OnLag::Latest => log.newest(&self.subscriber).max(gap.until),
            OnLag::Skip | OnLag::Disconnect => gap.until,
        };
        let missing = (behind.number, number);
        behind.go_on_at(number);
        if form.is_told() {
            send_queue.owe(form.told(form::gap(Some(missing), Why::Lag)));
        }
    }
}
