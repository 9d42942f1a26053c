//! The Cargo features of `pode`: the parts that a user's build may leave out.

/// A part of the language that has a feature of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Feature {
    EncryptedKeys,
    Multipart,
    Pfx,
    Redis,
    Schedule,
    Tls,
    Upstream,
    Views,
}

impl Feature {
    /// Its name in `Cargo.toml`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Feature::EncryptedKeys => "encrypted-keys",
            Feature::Multipart => "multipart",
            Feature::Pfx => "pfx",
            Feature::Redis => "redis",
            Feature::Schedule => "schedule",
            Feature::Tls => "tls",
            Feature::Upstream => "upstream",
            Feature::Views => "views",
        }
    }

    /// Whether this build has it. `pode` hands each feature to the run time,
    /// too. A build script's `pode` may have others than the program's: cargo
    /// unites those of macros alone, so this may be more than the run time has.
    pub(crate) fn is_on(self) -> bool {
        #[cfg(test)]
        if of_tests::is_left_out(self) {
            return false;
        }
        match self {
            Feature::EncryptedKeys => cfg!(feature = "encrypted-keys"),
            Feature::Multipart => cfg!(feature = "multipart"),
            Feature::Pfx => cfg!(feature = "pfx"),
            Feature::Redis => cfg!(feature = "redis"),
            Feature::Schedule => cfg!(feature = "schedule"),
            Feature::Tls => cfg!(feature = "tls"),
            Feature::Upstream => cfg!(feature = "upstream"),
            Feature::Views => cfg!(feature = "views"),
        }
    }
}

#[cfg(test)]
pub(crate) use of_tests::with_features_of;

/// Tests act as builds with other features, several at once.
#[cfg(test)]
mod of_tests {
    use std::cell::RefCell;

    use super::Feature;

    thread_local! {
        static MANIFEST: RefCell<Option<String>> = const { RefCell::new(None) };
    }

    pub(super) fn is_left_out(feature: Feature) -> bool {
        let name = format!("\"{}\"", feature.name());
        MANIFEST.with_borrow(|text| text.as_ref().is_some_and(|text| !text.contains(&name)))
    }

    /// Runs a function as if for a crate whose `Cargo.toml` this is, without
    /// the default features; with all features if there is none.
    pub(crate) fn with_features_of<T>(manifest: Option<&str>, run: impl FnOnce() -> T) -> T {
        let before = MANIFEST.replace(manifest.map(str::to_owned));
        let value = run();
        MANIFEST.set(before);
        value
    }
}
