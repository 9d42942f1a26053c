//! Deserializes what clients send; an error names the wrong field.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::base::error::EventError;
use crate::http::flattened;

/// A type that is made of what a client or another server sends.
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be made of what is sent",
    label = "`{Self}` is not read by serde",
    note = "derive `Deserialize` for it: `#[derive(Deserialize)]`"
)]
pub trait Received: DeserializeOwned {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned> Received for T {}

/// Reads pairs of names and values, as in queries and forms.
pub(crate) fn fields<T: DeserializeOwned>(source: &str, written: &[u8]) -> Result<T, EventError> {
    let fields = serde_html_form::Deserializer::from_bytes(written);
    serde_path_to_error::deserialize(fields).or_else(|error| {
        if error.inner().to_string().starts_with("invalid type: string") {
            let told = |error| bad_request(format!("{source}: {error}"));
            return flattened::fields(written).map_err(told);
        }
        Err(at_field(source, &error))
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
    use serde::Deserialize;

    use super::*;

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

    #[derive(Debug, Deserialize)]
    struct Search {
        text: String,
        #[serde(flatten)]
        page: Page,
    }

    #[derive(Debug, Deserialize)]
    struct Page {
        number: u8,
    }

    #[test]
    fn a_number_may_be_in_a_flattened_struct() {
        let read = |query: &str| fields::<Search>("query", query.as_bytes());
        let search = read("text=1&number=7").unwrap();
        assert_eq!((&*search.text, search.page.number), ("1", 7));
        let error = read("text=1&number=x").unwrap_err();
        assert_eq!(error.to_string(), "query: invalid type: string \"x\", expected u8");
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
