//! What a declaration says of a backplane.

use std::collections::HashMap;
use std::fmt;

use pode_core::RedisUrl;
use pode_core::backplane::KEPT_MESSAGES_BY_DEFAULT;

use crate::net::roots::Roots;
use crate::push::engine::Lasting;

/// A backplane as declared.
pub struct Backplane {
    /// Checked at the start, if the macro hasn't seen it.
    pub(crate) url: String,
    pub(crate) options: BackplaneOptions,
    /// Of which signals it keeps the last messages, besides.
    pub(crate) lasting: HashMap<&'static str, Lasting>,
}

impl Backplane {
    /// Makes one of a Redis.
    pub fn redis(url: impl BackplaneUrl, options: BackplaneOptions) -> Backplane {
        Backplane { url: url.into(), options, lasting: HashMap::new() }
    }
}

/// Without user and password.
impl fmt::Debug for Backplane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backplane")
            .field("url", &self.url.parse::<RedisUrl>())
            .field("options", &self.options)
            .finish()
    }
}

/// The URL of a backplane: any text.
#[diagnostic::on_unimplemented(
    message = "this is not the URL of a Redis",
    label = "expected a text, found `{Self}`",
    note = "write a URL such as `\"redis://localhost:6379\"`, or an expression that is a `String` or a `&str`"
)]
pub trait BackplaneUrl: Into<String> {}

#[diagnostic::do_not_recommend]
impl<T: Into<String>> BackplaneUrl for T {}

/// Options of a backplane:
/// `backplane redis settings.redis_url { kept_messages: 100_000 };`
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BackplaneOptions {
    /// How many messages of each signal the backplane keeps, for nodes that were away;
    /// 65,536 by default, at least 1,000 and at most 10,000,000. These are at least as
    /// many as any signal's `history_messages`, so that a node that has just started
    /// can give what the others can. The last one of each key (`latest_by`), or of each
    /// path (`replay: Last`), is kept besides.
    pub kept_messages: usize,

    /// What becomes of a server that starts while the backplane can't be reached; `Fail`
    /// by default. The variants need no `use` in the option's value:
    /// `{ start: Anyway }`.
    pub start: BackplaneStart,

    /// The name under which the nodes of the server find each other; by default that of
    /// the server. It has 1 to 64 letters of a to z, digits, `-`, `_` and `.`. Servers of
    /// one name at one backplane share their messages: where one Redis serves several
    /// installations, each has a name of its own, such as `{ name: settings.name }`.
    pub name: BackplaneName,

    /// The root certificates to trust at a URL with TLS; `SystemRoots` by default. Their
    /// names need no `use` in the option's value: `{ roots: roots_of("authority.pem") }`
    /// or `{ roots: system_roots_and("authority.pem") }`.
    pub roots: Roots,
}

impl Default for BackplaneOptions {
    fn default() -> Self {
        BackplaneOptions {
            kept_messages: KEPT_MESSAGES_BY_DEFAULT,
            start: BackplaneStart::default(),
            name: BackplaneName::default(),
            roots: Roots::default(),
        }
    }
}

/// What becomes of a server that starts while its backplane can't be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum BackplaneStart {
    /// It tries for ten seconds; then the start fails.
    #[default]
    Fail,

    /// It serves, and isn't ready until the backplane is reached.
    Anyway,
}

/// The name under which the nodes of a server find each other; by default that of the
/// server. Made of a text, or of an `Option` of one.
///
/// ```
/// # use pode_runtime as pode;
/// use pode::BackplaneName;
///
/// assert_eq!(BackplaneName::from("shop-staging").as_str(), Some("shop-staging"));
/// assert_eq!(BackplaneName::default().as_str(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BackplaneName {
    name: Option<String>,
}

impl BackplaneName {
    /// Returns the name; `None` if it is that of the server.
    pub fn as_str(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

macro_rules! from_texts {
    ($($Text:ty),*) => {$(
        impl From<$Text> for BackplaneName {
            fn from(name: $Text) -> BackplaneName {
                BackplaneName { name: Some(name.into()) }
            }
        }
    )*};
}

from_texts!(&str, &String, String);

/// `None` means the name of the server.
impl<N: Into<BackplaneName>> From<Option<N>> for BackplaneName {
    fn from(name: Option<N>) -> BackplaneName {
        name.map(Into::into).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_is_not_shown() {
        for url in ["redis://shop:secret@localhost", "shop:secret@localhost"] {
            let backplane = Backplane::redis(url, BackplaneOptions::default());
            let shown = format!("{backplane:?}");
            assert!(shown.contains("localhost") && !shown.contains("secret"), "{shown}");
        }
    }
}
