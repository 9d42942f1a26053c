//! The fields of a struct as variables of a view, by the names that serde gives
//! them.

use pode_core::check::Code;
use proc_macro2::Ident;
use quote::ToTokens;
use syn::meta::ParseNestedMeta;
use syn::{Attribute, Fields, LitStr, Meta, Token};

use crate::diagnostic::Mistakes;

/// The variables that a value gives, as serde names them.
#[derive(Default)]
pub(super) struct Variables {
    pub(super) names: Vec<String>,
    /// Whether there may be others, as from `#[serde(flatten)]`.
    pub(super) and_others: bool,
}

/// Returns the variables that these fields give; `None` are those of no struct.
pub(super) fn variables(
    ident: &Ident,
    fields: Option<&Fields>,
    attributes: &[Attribute],
    mistakes: &mut Mistakes,
) -> Variables {
    let mut variables = Variables::default();
    let fields = match fields {
        Some(Fields::Named(fields)) => &fields.named,
        // Nothing is as good as `{}`.
        Some(Fields::Unit) => return variables,
        Some(Fields::Unnamed(_)) | None => {
            let message = format!("`{ident}` gives a view no variables: they are named fields");
            let help =
                format!("make it a struct with named fields: `struct {ident} {{ title: String }}`");
            mistakes.add(Code::ViewDerive, ident.span(), message, help);
            return variables;
        }
    };
    let of_struct = Serde::of(attributes);
    variables.and_others = of_struct.may_be_anything;
    variables.names.extend(of_struct.tag);
    for field in fields {
        let of_field = Serde::of(&field.attrs);
        variables.and_others |= of_field.may_be_anything;
        let Some(name) = field.ident.as_ref().filter(|_| !of_field.skipped) else { continue };
        let name = name.to_string();
        let name = name.strip_prefix("r#").unwrap_or(&name);
        variables.names.push(match (of_field.rename, &of_struct.rename_all) {
            (Some(renamed), _) => renamed,
            (None, Some(rule)) => by_rule(rule, name),
            (None, None) => name.to_owned(),
        });
    }
    variables
}

/// What `#[serde(…)]` says of how a value is serialized.
#[derive(Default)]
struct Serde {
    rename: Option<String>,
    rename_all: Option<String>,
    tag: Option<String>,
    skipped: bool,
    /// Whether names come that aren't seen here.
    may_be_anything: bool,
}

impl Serde {
    fn of(attributes: &[Attribute]) -> Serde {
        let mut serde = Serde::default();
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("serde")) {
            let Meta::List(list) = &attribute.meta else { continue };
            // What is wrong in it, serde's own derive tells.
            let _ = list.parse_nested_meta(|option| {
                let word = option.path.to_token_stream().to_string();
                match word.as_str() {
                    "rename" => serde.rename = serialized(&option)?,
                    "rename_all" => serde.rename_all = serialized(&option)?,
                    "tag" => serde.tag = serialized(&option)?,
                    "skip" | "skip_serializing" => serde.skipped = true,
                    "flatten" | "transparent" => serde.may_be_anything = true,
                    "into" | "remote" => {
                        serde.may_be_anything = true;
                        serialized(&option)?;
                    }
                    _ => value(&option)?,
                }
                Ok(())
            });
        }
        serde
    }
}

/// Reads `= "name"`, or `(serialize = "name", …)`.
fn serialized(option: &ParseNestedMeta<'_>) -> syn::Result<Option<String>> {
    if !option.input.peek(syn::token::Paren) {
        return Ok(Some(option.value()?.parse::<LitStr>()?.value()));
    }
    let mut name = None;
    option.parse_nested_meta(|option| {
        let text: LitStr = option.value()?.parse()?;
        if option.path.is_ident("serialize") {
            name = Some(text.value());
        }
        Ok(())
    })?;
    Ok(name)
}

/// Reads past the value of another option.
fn value(option: &ParseNestedMeta<'_>) -> syn::Result<()> {
    if option.input.peek(syn::token::Paren) {
        return option.parse_nested_meta(|option| value(&option));
    }
    if option.input.peek(Token![=]) {
        option.value()?.parse::<syn::Expr>()?;
    }
    Ok(())
}

/// Renames a field as `#[serde(rename_all = "…")]` does.
fn by_rule(rule: &str, name: &str) -> String {
    let pascal = || -> String {
        let words = name.split('_').map(|word| {
            let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
            first.to_ascii_uppercase() + rest
        });
        words.collect()
    };
    match rule {
        "UPPERCASE" | "SCREAMING_SNAKE_CASE" => name.to_ascii_uppercase(),
        "PascalCase" => pascal(),
        "camelCase" => {
            let pascal = pascal();
            let (first, rest) = pascal.split_at(pascal.chars().next().map_or(0, char::len_utf8));
            first.to_ascii_lowercase() + rest
        }
        "kebab-case" => name.replace('_', "-"),
        "SCREAMING-KEBAB-CASE" => name.to_ascii_uppercase().replace('_', "-"),
        _ => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expected: &[&str], and_others: bool) {
        let written: syn::ItemStruct = syn::parse_str(written).unwrap();
        let mut mistakes = Mistakes::default();
        let given = variables(&written.ident, Some(&written.fields), &written.attrs, &mut mistakes);
        assert_eq!(
            (given.names, given.and_others),
            (expected.iter().map(ToString::to_string).collect(), and_others)
        );
        assert!(mistakes.is_empty());
    }

    #[test]
    fn fields_are_named_as_serde_names_them() {
        check("struct A { r#type: u8, b_c: u8 }", &["type", "b_c"], false);
        check(
            "#[serde(rename_all = \"camelCase\", default)] struct A { user_name: u8, \
             #[serde(serialize_with = \"f::<u8>\", rename = \"b\")] a: u8, \
             #[serde(rename(serialize = \"c\", deserialize = \"d\"))] e: u8, \
             #[serde(rename(deserialize = \"f\"), bound(serialize = \"u8: Copy\"))] f_g: u8 }",
            &["userName", "b", "c", "fG"],
            false,
        );
        check(
            "#[serde(tag = \"kind\")] struct A { #[serde(skip)] a: u8, #[serde(skip_serializing)] b: u8, \
             #[serde(skip_serializing_if = \"no\")] c: u8 }",
            &["kind", "c"],
            false,
        );
        check("struct A { #[serde(flatten)] a: B, b: u8 }", &["a", "b"], true);
        check("#[serde(into = \"B\")] struct A { b: u8 }", &["b"], true);
        check("struct A;", &[], false);
    }

    #[test]
    fn rules_are_those_of_serde() {
        for (rule, expected) in [
            ("lowercase", "user_id"),
            ("UPPERCASE", "USER_ID"),
            ("PascalCase", "UserId"),
            ("camelCase", "userId"),
            ("snake_case", "user_id"),
            ("SCREAMING_SNAKE_CASE", "USER_ID"),
            ("kebab-case", "user-id"),
            ("SCREAMING-KEBAB-CASE", "USER-ID"),
        ] {
            assert_eq!(by_rule(rule, "user_id"), expected);
        }
        assert_eq!(by_rule("camelCase", ""), "");
    }
}
