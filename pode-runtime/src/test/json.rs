//! JSON, from and to the types of a test.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::patience::{OrFail, Patience};

/// How much of a text a failure shows.
const SHOWN_CHARACTERS: usize = 2000;

pub(super) fn write<T: Serialize + ?Sized>(value: &T, patience: Patience) -> String {
    serde_json::to_string(value)
        .or_fail(patience, format_args!("no JSON is made of {}", name::<T>()))
}

pub(super) fn read<T: DeserializeOwned>(json: &[u8], patience: Patience) -> T {
    let read = serde_json::from_slice(json);
    read.or_fail(patience, format_args!("this is no {}: {}", name::<T>(), shown(json)))
}

/// Returns a text, shortened, as a failure shows it.
pub(super) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}

/// Returns the name of a type without its modules.
pub(super) fn name<T: ?Sized>() -> &'static str {
    let name = type_name::<T>();
    let end = name.find('<').unwrap_or(name.len());
    name[..end].rfind("::").map_or(name, |at| &name[at + 2..])
}
