//! What the nodes of a backplane need of sequences: any of them may have one, and any may
//! end.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::sequence::{Handling, ProcessId, Sequence};
use super::{Left, SequenceId, Sequences};
use crate::base::seconds::seconds;

impl Sequences {
    /// Has the nodes of a backplane asked for sequences that aren't here.
    pub(crate) fn ask_nodes(&self, elsewhere: mpsc::UnboundedSender<SequenceId>) {
        let mut known = self.known();
        (known.elsewhere, known.is_carried) = (Some(elsewhere), true);
    }

    /// Gives all sequences to another process, as this one ends; but those whose client has
    /// sent nothing.
    pub(crate) fn give_all(&self) -> Vec<Left> {
        let (now, known) = (seconds(), self.known());
        let given = known.by_id.iter().filter_map(|(id, sequence)| {
            let until = sequence.state().until;
            let (heard, doubtful) = sequence.give()?;
            let seconds = until.map_or(0, |until| until.saturating_sub(now));
            Some(Left { id: *id, heard, doubtful, seconds })
        });
        given.collect()
    }

    /// Waits until a message of a sequence isn't being handled, or no longer; returns
    /// whether it was, if anybody knows.
    pub(crate) async fn end_of(&self, id: SequenceId, number: u64) -> Option<bool> {
        let sequence = Arc::clone(self.known().by_id.get(&id)?);
        sequence.end_of(number).await
    }

    /// Notes whether a message is handled that another process was handling; `None` if
    /// nobody knows.
    pub(crate) fn ended(
        &self,
        id: SequenceId,
        process: ProcessId,
        number: u64,
        is_handled: Option<bool>,
    ) {
        let Some(sequence) = self.known().by_id.get(&id).cloned() else { return };
        let heard = is_handled.map(|is_handled| if is_handled { number } else { number - 1 });
        sequence.ends_elsewhere(|it, has| has == process && it.number == number, heard);
    }

    /// Returns the messages that other processes are handling.
    pub(crate) fn awaited(&self) -> Vec<(ProcessId, SequenceId, u64)> {
        let known = self.known();
        let awaited = known.by_id.iter().filter_map(|(id, sequence)| {
            let Handling { number, elsewhere } = sequence.state().handling?;
            Some((elsewhere?, *id, number))
        });
        awaited.collect()
    }
}

impl Sequence {
    /// Waits until a message isn't being handled, or no longer; returns whether it was, if
    /// anybody knows.
    async fn end_of(&self, number: u64) -> Option<bool> {
        loop {
            let handled = self.handled.notified();
            {
                let state = self.state();
                if state.handling.is_none_or(|it| it.number != number) {
                    let is_handled = state.heard >= number;
                    return (is_handled || state.doubtful != Some(number)).then_some(is_handled);
                }
            }
            handled.await;
        }
    }
}
