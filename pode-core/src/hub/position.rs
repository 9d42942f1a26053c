//! Positions: how far a client has come in a channel.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

/// A place between two messages of a channel: how many of them came before.
///
/// It is valid only in the numbering that it was taken in, which the epoch
/// identifies. As a text it is the epoch in 16 hexadecimal digits, a hyphen and
/// the number.
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

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}-{}", self.epoch, self.number)
    }
}

/// As its text.
impl serde::Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From its text.
impl<'de> serde::Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
        let written = Cow::<str>::deserialize(deserializer)?;
        written.parse().map_err(serde::de::Error::custom)
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
    use super::*;

    #[test]
    fn a_position_is_known_again_by_its_text() {
        let longest = Position { epoch: u64::MAX, number: u64::MAX };
        assert_eq!(longest.to_string().parse(), Ok(longest));
        let json = serde_json::to_value(longest).unwrap();
        assert_eq!(json, longest.to_string());
        assert_eq!(serde_json::from_value::<Position>(json).unwrap(), longest);
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
            serde_json::from_value::<Position>(unsound.into()).unwrap_err();
        }
    }
}
