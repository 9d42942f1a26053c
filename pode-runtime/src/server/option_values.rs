//! Literal values of options. They become what their option holds, so that rustc
//! can say how that is written where it is something else.

use std::time::Duration;

#[cfg(feature = "redis")]
use crate::backplane::BackplaneStart;
use crate::jobs::claim::FiresOn;
#[cfg(any(feature = "redis", feature = "upstream"))]
use crate::net::roots::Roots;
use crate::net::tls::certificate::Certificate;
use crate::push::engine::OnLag;
use crate::signal::Rebroadcast;

/// Makes the value of an option that is written as a number.
pub fn number<Value: FromNumber<Literal>>(written: u64) -> Value {
    Value::from_number(written)
}

/// Makes the value of an option that is written in quotes.
pub fn quoted<Value: FromQuoted<Literal>>(written: &'static str) -> Value {
    Value::from_quoted(written)
}

/// Makes the value of an option that is written as an interval, `5s`.
pub fn interval<Value: FromInterval>(milliseconds: u64) -> Value {
    Value::from_interval(Duration::from_millis(milliseconds))
}

/// What stands in the code.
#[derive(Debug)]
pub enum Literal {}

/// The value of an option that is written as a number.
#[diagnostic::on_unimplemented(
    message = "the value of this option is not a number",
    label = "expected `{Self}`, found a number"
)]
pub trait FromNumber<Written> {
    /// Makes the value; a number that is too large is the largest one.
    fn from_number(written: u64) -> Self;
}

/// The value of an option that is written in quotes.
#[diagnostic::on_unimplemented(
    message = "the value of this option is not written in quotes",
    label = "expected `{Self}`, found a text"
)]
pub trait FromQuoted<Written> {
    /// Makes the value.
    fn from_quoted(written: &'static str) -> Self;
}

/// The value of an option that is written as an interval.
#[diagnostic::on_unimplemented(
    message = "the value of this option is not a time",
    label = "expected `{Self}`, found an interval"
)]
pub trait FromInterval {
    /// Makes the value.
    fn from_interval(written: Duration) -> Self;
}

/// Never holds: it is there for its message.
#[diagnostic::on_unimplemented(
    message = "an interval needs a unit, and no quotes",
    label = "write `5s`, `500ms`, `2min` or `1h`"
)]
pub trait IsInterval {}

/// Never holds: it is there for its message.
#[diagnostic::on_unimplemented(
    message = "a number is written without quotes",
    label = "write `16` or `1_000`"
)]
pub trait IsNumber {}

/// Never holds: it is there for its message.
#[diagnostic::on_unimplemented(
    message = "a certificate is more than a file",
    label = "write `pem(\"chain.pem\", \"key.pem\")` or `pfx(\"file.pfx\", password_from_env(\"NAME\"))`"
)]
pub trait IsCertificate {}

/// Never holds: it is there for its message.
#[diagnostic::on_unimplemented(
    message = "what becomes of a client that lags is a word, without quotes",
    label = "write `Disconnect`, `Skip` or `Latest`"
)]
pub trait IsOnLag {}

/// Never holds: it is there for its message.
#[diagnostic::on_unimplemented(
    message = "to whom a signal rebroadcasts is a word, without quotes",
    label = "write `Anyone` or `OwnGroups`"
)]
pub trait IsRebroadcast {}

/// Never holds: it is there for its message.
#[diagnostic::on_unimplemented(
    message = "on which nodes it fires is a word, without quotes",
    label = "write `EveryNode` or `OneNode`"
)]
pub trait IsFiresOn {}

/// Never holds: it is there for its message.
#[cfg(feature = "redis")]
#[diagnostic::on_unimplemented(
    message = "what becomes of a server without its backplane is a word, without quotes",
    label = "write `Fail` or `Anyway`"
)]
pub trait IsBackplaneStart {}

/// Never holds: it is there for its message.
#[cfg(any(feature = "redis", feature = "upstream"))]
#[diagnostic::on_unimplemented(
    message = "roots are more than a file",
    label = "write `roots_of(\"root.pem\")`, `system_roots_and(\"root.pem\")` or `SystemRoots`"
)]
pub trait IsRoots {}

macro_rules! numbers {
    ($($Number:ty),*) => {$(
        impl<Written> FromNumber<Written> for $Number {
            fn from_number(written: u64) -> Self {
                written.try_into().unwrap_or(<$Number>::MAX)
            }
        }

        impl<Written: IsNumber> FromQuoted<Written> for $Number {
            fn from_quoted(_: &'static str) -> Self {
                <$Number>::MAX
            }
        }
    )*};
}

numbers!(u32, u64, usize);

impl<Written> FromQuoted<Written> for &'static str {
    fn from_quoted(written: &'static str) -> Self {
        written
    }
}

impl FromInterval for Duration {
    fn from_interval(written: Duration) -> Self {
        written
    }
}

impl<Written: IsInterval> FromNumber<Written> for Duration {
    fn from_number(_: u64) -> Self {
        Duration::ZERO
    }
}

impl<Written: IsInterval> FromQuoted<Written> for Duration {
    fn from_quoted(_: &'static str) -> Self {
        Duration::ZERO
    }
}

impl<Written: IsOnLag> FromQuoted<Written> for OnLag {
    fn from_quoted(_: &'static str) -> Self {
        OnLag::default()
    }
}

impl<Written: IsRebroadcast> FromQuoted<Written> for Rebroadcast {
    fn from_quoted(_: &'static str) -> Self {
        Rebroadcast::default()
    }
}

impl<Written: IsFiresOn> FromQuoted<Written> for FiresOn {
    fn from_quoted(_: &'static str) -> Self {
        FiresOn::default()
    }
}

#[cfg(feature = "redis")]
impl<Written: IsBackplaneStart> FromQuoted<Written> for BackplaneStart {
    fn from_quoted(_: &'static str) -> Self {
        BackplaneStart::default()
    }
}

#[cfg(any(feature = "redis", feature = "upstream"))]
impl<Written: IsRoots> FromQuoted<Written> for Roots {
    fn from_quoted(_: &'static str) -> Self {
        Roots::default()
    }
}

impl<Written: IsCertificate> FromQuoted<Written> for Certificate {
    fn from_quoted(_: &'static str) -> Self {
        Certificate::default()
    }
}
