//! The messages of a channel, numbered and kept for a while, so that a client
//! which was away gets what it missed.
//!
//! A [`Position`] is how far a client had come. It is valid only in the
//! numbering that it was taken in, which the epoch identifies.

use std::collections::VecDeque;
use std::fmt;
use std::str::FromStr;

/// The bounds of a history: so many messages, of so many bytes together. A
/// single message may be larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HistoryBounds {
    /// At least one is kept.
    pub messages: usize,
    /// The bytes of their frames.
    pub bytes: usize,
}

/// A place between two messages of a channel.
///
/// As a text it is the epoch in 16 hexadecimal digits, a hyphen and the number.
///
/// ```
/// # use pode_core::hub::Position;
///
/// let position: Position = "00000000000000ff-12".parse().unwrap();
/// assert_eq!(position, Position { epoch: 255, number: 12 });
/// assert_eq!(position.to_string(), "00000000000000ff-12");
/// assert!("ff-12".parse::<Position>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Identifies the numbering.
    pub epoch: u64,
    /// The number of the next message.
    pub number: u64,
}

/// A text is not a [`Position`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a position is 16 hexadecimal digits, a hyphen and a number")]
pub struct PositionError;

/// The messages after a position are not kept, or not any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the missed messages are no longer kept")]
pub struct HistoryGap;

/// The latest messages of a channel, by number.
#[derive(Clone, Debug)]
pub struct History<T> {
    /// The position of the next message.
    position: Position,
    bounds: HistoryBounds,
    /// The messages right before it.
    kept: VecDeque<Publication<T>>,
    bytes: usize,
}

/// A kept message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication<T> {
    /// Increases by one per message.
    pub number: u64,
    /// Lets the sender recognize it; 0 if the sender doesn't need to.
    pub tag: u64,
    /// How many bytes it counts toward the bounds.
    pub bytes: usize,
    /// The message.
    pub message: T,
}

impl<T: Clone> History<T> {
    /// Begins a history at a position.
    pub fn new(position: Position, bounds: HistoryBounds) -> History<T> {
        History { position, bounds, kept: VecDeque::new(), bytes: 0 }
    }

    /// Returns the position of the next message.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Adds a message, and drops old ones that exceed the bounds.
    pub fn push(&mut self, message: T, bytes: usize, tag: u64) {
        let number = self.position.number;
        self.position.number += 1;
        self.bytes += bytes;
        self.kept.push_back(Publication { number, tag, bytes, message });
        let HistoryBounds { messages, bytes } = self.bounds;
        while self.kept.len() > 1 && (self.kept.len() > messages || self.bytes > bytes) {
            if let Some(first) = self.kept.pop_front() {
                self.bytes -= first.bytes;
            }
        }
    }

    /// Continues at another number; if that leaves a gap, no message before it
    /// is kept.
    pub fn skip_to(&mut self, number: u64) {
        if number != self.position.number {
            (self.position.number, self.bytes) = (number, 0);
            self.kept.clear();
        }
    }

    /// Returns the messages after a position.
    ///
    /// # Errors
    ///
    /// Not all of them are kept, or the position was never in this history.
    pub fn since(
        &self,
        position: Position,
    ) -> Result<impl Iterator<Item = &Publication<T>>, HistoryGap> {
        if position.epoch != self.position.epoch || position.number > self.position.number {
            return Err(HistoryGap);
        }
        let missed = self.position.number - position.number;
        let kept = self.kept.len();
        match usize::try_from(missed) {
            Ok(missed) if missed <= kept => Ok(self.kept.range(kept - missed..)),
            _ => Err(HistoryGap),
        }
    }

    /// Returns all kept messages.
    pub fn kept(&self) -> impl Iterator<Item = &Publication<T>> {
        self.kept.iter()
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.number)
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(written: &str) -> Result<Position, PositionError> {
        let (epoch, number) = written.split_once('-').ok_or(PositionError)?;
        let is_hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let sound = epoch.len() == 16
            && epoch.bytes().all(is_hexadecimal)
            && number.bytes().all(|byte| byte.is_ascii_digit());
        let epoch = u64::from_str_radix(epoch, 16).ok().filter(|_| sound).ok_or(PositionError)?;
        let number = number.parse().map_err(|_| PositionError)?;
        Ok(Position { epoch, number })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn history(messages: usize, bytes: usize) -> History<u64> {
        History::new(Position { epoch: 7, number: 10 }, HistoryBounds { messages, bytes })
    }

    fn since(history: &History<u64>, epoch: u64, number: u64) -> Result<Vec<u64>, HistoryGap> {
        history.since(Position { epoch, number }).map(|kept| kept.map(|it| it.message).collect())
    }

    #[test]
    fn what_was_missed_is_kept_up_to_the_bounds() {
        let mut history = history(3, 100);
        assert_eq!(since(&history, 7, 10), Ok(vec![]));
        for message in 10..15 {
            history.push(message, 1, 0);
        }
        assert_eq!(since(&history, 7, 15), Ok(vec![]));
        assert_eq!(since(&history, 7, 12), Ok(vec![12, 13, 14]));
        assert_eq!(since(&history, 7, 11), Err(HistoryGap), "too long ago");
        assert_eq!(since(&history, 7, 16), Err(HistoryGap), "yet to come");
        assert_eq!(since(&history, 8, 15), Err(HistoryGap), "of another numbering");
        history.push(15, 200, 0);
        assert_eq!(since(&history, 7, 15), Ok(vec![15]), "alone, whatever its size");
        assert_eq!(since(&history, 7, 14), Err(HistoryGap));
        history.push(16, 1, 0);
        assert_eq!(since(&history, 7, 15), Err(HistoryGap), "for its size");
    }

    #[test]
    fn nothing_before_a_gap_is_kept() {
        let mut history = history(3, 100);
        history.push(10, 1, 0);
        history.skip_to(11);
        assert_eq!(since(&history, 7, 10), Ok(vec![10]), "that is no gap");
        history.skip_to(20);
        history.push(20, 1, 0);
        assert_eq!(since(&history, 7, 19), Err(HistoryGap));
        assert_eq!(since(&history, 7, 11), Err(HistoryGap));
        assert_eq!(since(&history, 7, 20), Ok(vec![20]));
    }

    #[test]
    fn a_position_is_known_again_by_its_text() {
        let longest = Position { epoch: u64::MAX, number: u64::MAX };
        assert_eq!(longest.to_string().parse(), Ok(longest));
        for unsound in [
            "",
            "-",
            "0000000000000000-",
            "-1",
            "0000000000000000",
            "000000000000000A-1",
            "+000000000000000-1",
            "0000000000000000-+1",
            "0000000000000000-18446744073709551616",
        ] {
            assert_eq!(unsound.parse::<Position>(), Err(PositionError), "{unsound:?}");
        }
    }

    proptest! {
        #[test]
        fn a_history_is_never_beyond_its_bounds(sizes in prop::collection::vec(0..50_usize, 0..60)) {
            let mut history = history(8, 100);
            for bytes in sizes {
                history.push(0, bytes, 0);
                let sum: usize = history.kept().map(|kept| kept.bytes).sum();
                prop_assert_eq!(sum, history.bytes);
                prop_assert!(history.kept.len() <= 8 && (sum <= 100 || history.kept.len() == 1));
                prop_assert_eq!(history.kept.back().map(|kept| kept.number + 1), Some(history.position.number));
            }
        }
    }
}
