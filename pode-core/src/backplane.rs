//! What a backplane may be told: how many messages it keeps, and the name under which
//! the nodes of a server find each other.

use std::ops::RangeInclusive;

/// How many messages of a signal may be kept.
pub const KEPT_MESSAGES: RangeInclusive<usize> = 1_000..=10_000_000;

/// How many are kept where nothing is said.
pub const KEPT_MESSAGES_BY_DEFAULT: usize = 1 << 16;

/// The longest name, in bytes.
const MOST_BYTES: usize = 64;

/// Checks the name under which the nodes of a server find each other: 1 to 64 letters
/// and digits of ASCII, `-`, `_` and `.`.
///
/// ```
/// # use pode_core::backplane;
///
/// assert!(backplane::check_name("shop-staging").is_ok());
/// assert!(backplane::check_name("the shop").is_err());
/// ```
pub fn check_name(name: &str) -> Result<(), BackplaneNameError> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match (1..=MOST_BYTES).contains(&name.len()) && name.bytes().all(is_part) {
        true => Ok(()),
        false => Err(BackplaneNameError { name: name.to_owned() }),
    }
}

/// A text that is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("nodes can't find each other by the name `{name}`")]
pub struct BackplaneNameError {
    name: String,
}

impl BackplaneNameError {
    /// Returns what to write instead.
    pub fn help(&self) -> &'static str {
        "write 1 to 64 letters of a to z, digits, `-`, `_` and `.`, such as `shop-staging`"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for name in ["a", "Shop_2.eu-west", "-", &"a".repeat(64)] {
            assert_eq!(check_name(name), Ok(()));
        }
        for name in ["", "a b", "größe", "a/b", "{a}", "a:b", "a\n", &"a".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
