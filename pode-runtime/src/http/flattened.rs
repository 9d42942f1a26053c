//! Numbers and truth values of queries and forms in flattened structs.
//!
//! Every value is a text, which is parsed for a type that asks for a number. For
//! `#[serde(flatten)]` and `#[serde(tag = "…")]` serde reads a value before it
//! knows the type, keeps the text, and later refuses it as a number. Which
//! values are meant is learned from these refusals, one after the other.

use std::borrow::Cow;
use std::fmt::Display;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{
    DeserializeOwned, Deserializer, Error as _, Expected, IntoDeserializer, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

/// How often to try at most, which bounds the numbers, and how many names there
/// may be, each of which is looked at each time.
const MOST_TRIES: usize = 100;
const MOST_NAMES: usize = 1000;

/// Why nothing could be made of the fields.
#[derive(Debug, PartialEq)]
pub(crate) enum FieldsError {
    /// A text can't be of the type that is expected.
    Text {
        text: String,
        sentence: String,
    },
    /// A number or a truth value can't.
    Literal(String),
    Other(String),
}

/// Reads pairs of names and values, whose flattened structs may have numbers.
pub(crate) fn fields<T: DeserializeOwned>(written: &[u8]) -> Result<T, FieldsError> {
    let mut fields: Vec<Field<'_>> = Vec::new();
    let pairs: Vec<(Cow<'_, str>, Cow<'_, str>)> =
        serde_html_form::from_bytes(written).map_err(FieldsError::custom)?;
    for (name, text) in pairs {
        match fields.iter().position(|field| field.name == name) {
            Some(index) => fields[index].texts.push(text),
            None if fields.len() == MOST_NAMES => {
                return Err(FieldsError::custom("there are too many names"));
            }
            None => fields.push(Field { name, texts: vec![text], kept: Kept::Text }),
        }
    }
    let mut tried: Option<usize> = None;
    for _ in 0..MOST_TRIES {
        let values = fields.iter().map(|field| (&*field.name, field.values()));
        let error = match T::deserialize(MapDeserializer::new(values)) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        match (&error, tried) {
            (FieldsError::Literal(_), Some(last)) => {
                // Another field of this text is meant.
                fields[last].kept = Kept::TextAfterAll;
                tried = None;
            }
            (FieldsError::Text { text, .. }, _) => {
                let is_meant = |field: &Field<'_>| {
                    field.kept == Kept::Text
                        && matches!(&field.texts[..], [one] if one == text && literal(one).is_some())
                };
                let Some(index) = fields.iter().position(is_meant) else { return Err(error) };
                fields[index].kept = Kept::Literal;
                tried = Some(index);
            }
            _ => return Err(error),
        }
    }
    Err(FieldsError::custom("there are too many numbers"))
}

/// A name with its values.
struct Field<'a> {
    name: Cow<'a, str>,
    texts: Vec<Cow<'a, str>>,
    kept: Kept,
}

/// What serde keeps of a value before it knows its type.
#[derive(Clone, Copy, PartialEq)]
enum Kept {
    Text,
    Literal,
    TextAfterAll,
}

impl Field<'_> {
    fn values(&self) -> Values<'_> {
        Values { texts: &self.texts, is_literal: self.kept == Kept::Literal }
    }
}

/// A number or a truth value.
enum Literal {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Bool(bool),
}

fn literal(text: &str) -> Option<Literal> {
    // Neither `+1` nor `inf`.
    if text.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
        let integer = text.parse().map(Literal::Unsigned).or(text.parse().map(Literal::Signed));
        return integer.ok().or(text.parse().map(Literal::Float).ok());
    }
    text.parse().map(Literal::Bool).ok()
}

/// The values of one name.
#[derive(Clone, Copy)]
struct Values<'a> {
    texts: &'a [Cow<'a, str>],
    is_literal: bool,
}

impl Values<'_> {
    fn one(&self) -> Result<&str, FieldsError> {
        match self.texts {
            [one] => Ok(one),
            _ => Err(FieldsError::custom("this name has several values")),
        }
    }
}

impl<'de> IntoDeserializer<'de, FieldsError> for Values<'_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($deserialize:ident => $visit:ident),*) => {$(
        fn $deserialize<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldsError> {
            visitor.$visit(self.one()?.parse().map_err(FieldsError::custom)?)
        }
    )*};
}

impl<'de> Deserializer<'de> for Values<'_> {
    type Error = FieldsError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldsError> {
        let [one] = self.texts else { return self.deserialize_seq(visitor) };
        match literal(one).filter(|_| self.is_literal) {
            Some(Literal::Unsigned(number)) => visitor.visit_u64(number),
            Some(Literal::Signed(number)) => visitor.visit_i64(number),
            Some(Literal::Float(number)) => visitor.visit_f64(number),
            Some(Literal::Bool(value)) => visitor.visit_bool(value),
            None => visitor.visit_str(one),
        }
    }

    parsed!(
        deserialize_bool => visit_bool,
        deserialize_u8 => visit_u8, deserialize_u16 => visit_u16, deserialize_u32 => visit_u32,
        deserialize_u64 => visit_u64, deserialize_i8 => visit_i8, deserialize_i16 => visit_i16,
        deserialize_i32 => visit_i32, deserialize_i64 => visit_i64, deserialize_f32 => visit_f32,
        deserialize_f64 => visit_f64
    );

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldsError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, FieldsError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldsError> {
        let each = self.texts.chunks(1).map(|texts| Values { texts, ..self });
        visitor.visit_seq(SeqDeserializer::new(each))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldsError> {
        visitor.visit_enum(self.one()?.into_deserializer())
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct
        identifier ignored_any
    }
}

impl Display for FieldsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FieldsError::Text { sentence, .. }
            | FieldsError::Literal(sentence)
            | FieldsError::Other(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for FieldsError {}

impl serde::de::Error for FieldsError {
    fn custom<M: Display>(sentence: M) -> FieldsError {
        FieldsError::Other(sentence.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> FieldsError {
        let sentence = format!("invalid type: {found}, expected {expected}");
        match found {
            Unexpected::Str(text) => FieldsError::Text { text: text.to_owned(), sentence },
            Unexpected::Unsigned(_)
            | Unexpected::Signed(_)
            | Unexpected::Float(_)
            | Unexpected::Bool(_) => FieldsError::Literal(sentence),
            _ => FieldsError::Other(sentence),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Search {
        text: String,
        most: u8,
        #[serde(flatten)]
        page: Page,
        #[serde(flatten)]
        order: Order,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    struct Page {
        after: String,
        number: i64,
        size: Option<u8>,
        exact: bool,
        weight: f32,
        tags: Vec<String>,
    }

    #[derive(Debug, Deserialize, PartialEq, Serialize)]
    #[serde(tag = "order")]
    enum Order {
        By { column: u64, name: String },
    }

    const QUERY: &str = "text=1&most=2&after=5&number=5&size=5&exact=true&weight=1.5&tags=1&tags=true&order=By\
         &column=5&name=5";

    #[test]
    fn a_number_in_a_flattened_struct_is_a_number_and_a_text_of_digits_a_text() {
        let search: Search = fields(QUERY.as_bytes()).unwrap();
        let five = || "5".to_owned();
        let tags = vec!["1".to_owned(), "true".to_owned()];
        let page = Page { after: five(), number: 5, size: Some(5), exact: true, weight: 1.5, tags };
        let order = Order::By { column: 5, name: five() };
        assert_eq!(search, Search { text: "1".into(), most: 2, page, order });
    }

    #[test]
    fn what_is_wrong_is_told() {
        for (from, to, sentence) in [
            ("size=5", "size=x", "invalid type: string \"x\", expected u8"),
            ("size=5", "size=300", "invalid value: integer `300`, expected u8"),
            ("&number=5", "", "missing field `number`"),
            ("size=5", "size=", "invalid type: string \"\", expected u8"),
            ("order=By", "order=5", "unknown variant `5`, expected `By`"),
        ] {
            let error = fields::<Search>(QUERY.replace(from, to).as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), sentence, "{to}");
        }
    }

    #[test]
    fn very_many_numbers_are_given_up() {
        #[derive(Debug, Deserialize)]
        struct All {
            #[serde(flatten)]
            _numbers: std::collections::HashMap<String, u8>,
        }
        let of = |count| (0..count).map(|name| format!("{name}=1")).collect::<Vec<_>>().join("&");
        fields::<All>(of(90).as_bytes()).unwrap();
        for (count, sentence) in
            [(200, "there are too many numbers"), (10_000, "there are too many names")]
        {
            let error = fields::<All>(of(count).as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), sentence);
        }
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            texts in [".*", "[0-9]{1,3}", "-?[0-9]{1,3}|true|false", ".*"],
            number: i64,
            size: Option<u8>,
            exact: bool,
            weight in -1000i16..1000,
            tags in prop::collection::vec("[0-9a-z]*", 2..4),
            column: u64,
        ) {
            let [text, after, name, _] = texts;
            let page = Page { after, number, size, exact, weight: weight.into(), tags };
            let order = Order::By { column, name };
            let search = Search { text, most: 7, page, order };
            let written = serde_html_form::to_string(&search).unwrap();
            prop_assert_eq!(fields::<Search>(written.as_bytes()).unwrap(), search, "{}", written);
        }

        #[test]
        fn any_bytes_are_judged(written: Vec<u8>) {
            let _ = fields::<Search>(&written);
        }
    }
}
