//! Deserializes what clients send; an error names the wrong field.

use std::any::type_name;
use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::base::error::EventError;
use crate::base::log::ration::rationed;

/// Reads pairs of names and values, as in queries and forms.
pub(crate) fn fields<T: DeserializeOwned>(source: &str, written: &[u8]) -> Result<T, EventError> {
    let fields = serde_html_form::Deserializer::from_bytes(written);
    serde_path_to_error::deserialize(fields).map_err(|error| {
        let refusal = at_field(source, &error);
        // Every value is a text, which is parsed for a type that asks for a number.
        // For a flattened struct serde keeps the text, before that is known; and a
        // guess would be wrong wherever a text has only digits.
        if error.inner().to_string().starts_with("invalid type: string") {
            rationed!(
                error,
                "{:?}: this part of `{}` can't be made of a text; within `#[serde(flatten)]` and \
                 `#[serde(tag = …)]` numbers and truth values need `#[serde(deserialize_with = …)]`",
                refusal.to_string(),
                type_name::<T>(),
            );
        }
        refusal
    })
}

/// Reads JSON and checks that nothing follows it. A byte order mark before it is
/// ignored (RFC 8259, section 8.1).
pub(crate) fn json<T: DeserializeOwned>(source: &str, written: &[u8]) -> Result<T, EventError> {
    let written = written.strip_prefix("\u{feff}".as_bytes()).unwrap_or(written);
    let mut json = serde_json::Deserializer::from_slice(written);
    let value =
        serde_path_to_error::deserialize(&mut json).map_err(|error| at_field(source, &error))?;
    json.end().map_err(|error| bad_request(format!("{source}: {error}")))?;
    Ok(value)
}

/// Names the wrong field, unless serde's own message does.
fn at_field<E: Display>(source: &str, error: &serde_path_to_error::Error<E>) -> EventError {
    let path = error.path();
    let written = path.to_string();
    let field = match path.iter().next_back() {
        // Broken before the field had a name; the fields around it have theirs.
        Some(Segment::Unknown) => written.trim_end_matches('?').trim_end_matches('.'),
        Some(_) => written.as_str(),
        None => "",
    };
    if field.is_empty() {
        return bad_request(format!("{source}: {}", error.inner()));
    }
    bad_request(format!("{source}: field `{field}`: {}", error.inner()))
}

/// Makes the response to a request that can't be deserialized. A long sentence,
/// which quotes what the client sent, loses its middle.
pub(crate) fn bad_request(mut text: String) -> EventError {
    /// How many bytes of either end are shown at most.
    const SHOWN: usize = 250;
    let is_whole = |at: &usize| text.is_char_boundary(*at);
    let begin = (0..=SHOWN).rev().find(is_whole).unwrap_or_default();
    let end = (text.len().saturating_sub(SHOWN)..text.len()).find(is_whole);
    if let Some(end) = end.filter(|end| *end > begin) {
        text.replace_range(begin..end, "…");
    }
    EventError::new(400, text)
}

#[cfg(test)]
mod tests {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer};

    use super::*;
    use crate::base::log::Collected;

    #[derive(Debug, Deserialize)]
    struct Line {
        #[allow(dead_code, reason = "it never comes to be")]
        from: [u8; 2],
    }

    #[track_caller]
    fn check(json: &str, sentence: &str) {
        let mut json = serde_json::Deserializer::from_str(json);
        let error = serde_path_to_error::deserialize::<_, Line>(&mut json).unwrap_err();
        assert_eq!(at_field("json", &error).to_string(), sentence);
    }

    #[test]
    fn a_byte_order_mark_before_json_is_ignored() {
        let read = |json: &str| super::json::<u8>("json", json.as_bytes());
        assert_eq!(read("\u{feff}1").unwrap(), 1);
        assert_eq!(read("\u{feff} 1 ").unwrap(), 1);
        for odd in ["\u{feff}", "\u{feff}\u{feff}1", " \u{feff}1", "1\u{feff}"] {
            assert!(read(odd).is_err(), "{odd:?}");
        }
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Search {
        text: String,
        most: u8,
        #[serde(flatten)]
        page: Page,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Page {
        after: String,
        #[serde(deserialize_with = "parsed")]
        number: u8,
        #[serde(default)]
        size: Option<u8>,
    }

    fn parsed<'de, D: Deserializer<'de>>(value: D) -> Result<u8, D::Error> {
        String::deserialize(value)?.parse().map_err(D::Error::custom)
    }

    #[test]
    fn a_number_that_serde_keeps_as_a_text_is_told_to_the_log() {
        let (log, _collected) = Collected::begin();
        let read = |query: &str| fields::<Search>("query", query.as_bytes());
        let page = Page { after: "5".into(), number: 7, size: None };
        let search = Search { text: "1".into(), most: 2, page };
        assert_eq!(read("text=1&most=2&after=5&number=7").unwrap(), search);
        // A mistake of the client.
        read("text=1&most=x&after=5&number=7").unwrap_err();
        assert_eq!(log.text(), "");
        let error = read("text=1&most=2&after=5&number=7&size=8").unwrap_err();
        let sentence = "query: invalid type: string \"8\", expected u8";
        assert_eq!((error.status().as_u16(), &*error.to_string()), (400, sentence));
        let log = log.text();
        assert!(
            log.starts_with(&format!("ERROR {sentence:?}: this part of `pode_runtime::")),
            "{log}"
        );
        assert!(log.contains("deserialize_with"), "{log}");
    }

    #[test]
    fn a_sentence_is_short_whatever_it_quotes() {
        let long = "ü".repeat(100_000);
        let error = json::<Line>("json", format!(r#"{{"from":"{long}"}}"#).as_bytes());
        let sentence = error.unwrap_err().to_string();
        assert!(sentence.starts_with("json: field `from`: invalid type: string \"ü"), "{sentence}");
        let ends = "ü\", expected an array of length 2 at line 1 column 200010";
        assert!(sentence.contains("ü…ü") && sentence.ends_with(ends), "{sentence}");
        for length in [0, 1, 499, 500, 501, 100_000] {
            let (sent, said) = ("a".repeat(length), bad_request("a".repeat(length)).to_string());
            assert!(said == sent || length > 500 && said.len() == 500 + "…".len(), "{said}");
        }
    }

    #[test]
    fn a_field_is_named_as_far_as_it_was_read() {
        check(
            r#"{"from":[0,"?"]}"#,
            "json: field `from[1]`: invalid type: string \"?\", expected u8 at line 1 column 14",
        );
        check(
            r#"{"from":[0,"#,
            "json: field `from`: EOF while parsing a value at line 1 column 11",
        );
        check(r#"{"fro"#, "json: EOF while parsing a string at line 1 column 5");
        check("[", "json: EOF while parsing a list at line 1 column 1");
    }
}
