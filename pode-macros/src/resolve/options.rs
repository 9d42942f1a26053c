//! Options that the macro itself understands; the others are fields of structs,
//! which rustc checks.

use std::time::Duration;

use pode_core::check::{Code, Diagnostic, did_you_mean, is_limit};
use pode_core::interval::{self, IntervalError};
use pode_core::model::{Name, Place};
use pode_core::{Host, Network, Origin};
use proc_macro2::{Ident, Span};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, ExprStruct, Lit, LitInt, LitStr, Member};

use super::Resolver;
use crate::shown::shown;
use crate::syntax::{Field, Options};

/// The option of routes and signals that chooses endpoints.
pub(crate) const ENDPOINT: &str = "endpoint";

/// The option of signals for the widest audience.
pub(crate) const LEVEL: &str = "level";

/// The option of endpoints that names the hosts by which they are reached.
pub(crate) const HOSTS: &str = "hosts";

/// The option of endpoints that names the proxies in front.
pub(crate) const TRUSTED_PROXIES: &str = "trusted_proxies";

/// The option of signals and routes that lets pages in.
const ORIGINS: &str = "origins";

/// The option of servers that replaces the policy of pages.
pub(super) const POLICY: &str = "content_security_policy";

/// The option of signals that chooses what a new client gets first.
pub(super) const REPLAY: &str = "replay";

/// The option of signals that finds the key of a message.
pub(crate) const LATEST_BY: &str = "latest_by";

/// The option that holds limits.
const LIMITS: &str = "limits";

/// Returns limits that are literal, field by field: `Limits { … }`. Any other
/// expression is a value as a whole.
pub(crate) fn limits(field: &Field) -> Option<&ExprStruct> {
    match &field.value {
        Expr::Struct(written)
            if field.name == LIMITS
                && written.path.segments.last().is_some_and(|word| word.ident == "Limits") =>
        {
            Some(written)
        }
        _ => None,
    }
}

/// Tells whether the option holds limits, in any form.
pub(crate) fn is_limits(field: &Field) -> bool {
    field.name == LIMITS
}

/// Parses an interval such as `5s`, which may replace a duration as an option's
/// value; `None` is any other expression.
pub(crate) fn interval(value: &Expr) -> Option<Result<Duration, IntervalError>> {
    const OF_RUST: [&str; 15] = [
        "", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64",
        "u128", "usize",
    ];
    let (suffix, written) = match value {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => (number.suffix(), number.to_string()),
        Expr::Lit(ExprLit { lit: Lit::Float(number), .. }) => (number.suffix(), number.to_string()),
        _ => return None,
    };
    (!OF_RUST.contains(&suffix)).then(|| interval::parse(&written))
}

/// Finds the literal texts in a value.
type Find = for<'value> fn(&'value Expr) -> Vec<&'value LitStr>;

/// Returns a literal text.
pub(crate) fn text(value: &Expr) -> Option<&LitStr> {
    match value {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text),
        _ => None,
    }
}

/// Returns the literal texts of `[…]`; any other expression has none.
fn texts(value: &Expr) -> Vec<&LitStr> {
    match value {
        Expr::Array(several) => several.elems.iter().filter_map(text).collect(),
        _ => Vec::new(),
    }
}

/// Returns what stands in `word(…)`, first; `None` is any other expression.
pub(super) fn called<'value>(word: &str, value: &'value Expr) -> Option<&'value Expr> {
    let Expr::Call(call) = value else { return None };
    let is_word = matches!(&*call.func, Expr::Path(path) if path.path.is_ident(word));
    call.args.first().filter(|_| is_word)
}

/// Returns by how many bits a number of this unit of sizes is shifted.
fn shift(unit: &str) -> Option<u32> {
    match unit.to_lowercase().as_str() {
        "b" => Some(0),
        "k" | "kb" | "kib" => Some(10),
        "mb" | "mib" => Some(20),
        "g" | "gb" | "gib" => Some(30),
        _ => None,
    }
}

fn is_zero(number: &LitInt) -> bool {
    number.base10_parse::<u64>().is_ok_and(|number| number == 0)
}

impl Resolver<'_> {
    /// Checks the values of options by themselves.
    pub(super) fn options(&mut self, options: &Options) -> Option<()> {
        let mut understood = Some(());
        for error in &options.unread {
            self.mistakes.add_syntax(error);
            understood = None;
        }
        self.told_once(options.fields.iter().map(|field| &field.name));
        for field in &options.fields {
            let nested = limits(field).into_iter().flat_map(|limits| &limits.fields);
            self.told_once(nested.clone().filter_map(|nested| match &nested.member {
                Member::Named(name) => Some(name),
                Member::Unnamed(_) => None,
            }));
            let names = nested.clone().map(|nested| &nested.member);
            for (name, value) in names
                .map(ToTokens::to_token_stream)
                .zip(nested.map(|it| &it.expr))
                .chain([(field.name.to_token_stream(), &field.value)])
            {
                understood = self.number_or_interval(&name.to_string(), value).and(understood);
            }
        }
        understood
    }

    /// Checks a literal number with or without a unit.
    fn number_or_interval(&mut self, name: &str, value: &Expr) -> Option<()> {
        let Expr::Lit(ExprLit { lit, .. }) = value else { return Some(()) };
        let span = lit.span();
        match (interval(value), lit) {
            (Some(Err(IntervalError::UnknownUnit { unit })), Lit::Int(number))
                if shift(&unit).is_some() || name.contains("bytes") =>
            {
                let bytes = match shift(&unit).unwrap_or_default() {
                    0 => number.base10_digits().to_owned(),
                    shift => format!("{} << {shift}", number.base10_digits()),
                };
                let help = format!("write `{bytes}`");
                self.mistake(Code::OptionValue, span, "a size is a number of bytes", help)
            }
            (Some(Err(error)), _) => {
                self.mistake(Code::Interval, span, error.to_string(), error.help())
            }
            (None, Lit::Int(number))
                if name.starts_with("max_") && !name.ends_with("delay") && is_zero(number) =>
            {
                let message = format!("`{name}: 0` doesn't mean that there is no limit");
                let help = "leave it out for the default, or write what there may be at most";
                self.mistake(Code::LimitZero, span, message, help)
            }
            _ => Some(()),
        }
    }

    /// Reports limits that stand outside of `limits`.
    pub(super) fn limits_inside(&mut self, options: &Options) -> Option<()> {
        let mut understood = Some(());
        for Field { name, value } in &options.fields {
            if is_limit(&name.to_string()) {
                let message = format!("`{name}` is one of the limits");
                let help = format!("write `limits: Limits {{ {name}: {} }}`", shown(value));
                understood = self.mistake(Code::UnknownOption, name.span(), message, help);
            }
        }
        understood
    }

    /// Reports names that stand twice; rustc would take the last.
    pub(super) fn told_once<'name>(&mut self, names: impl Iterator<Item = &'name Ident>) {
        let mut earlier: Vec<&Ident> = Vec::new();
        for name in names {
            if let Some(first) = earlier.iter().find(|earlier| **earlier == name) {
                let (place, first) = (self.places.add(name.span()), self.places.add(first.span()));
                let message = format!("option `{name}` stands twice");
                let found = Diagnostic::new(Code::OptionTwice, place, message, "remove one");
                self.mistakes.add_found(found.other(first, "first stands here"), &self.places);
            }
            earlier.push(name);
        }
    }

    /// Reports a value in another form: `find` returns what is written instead
    /// of it, if it is.
    fn form(
        &mut self,
        options: &Options,
        name: &str,
        find: impl Fn(&Expr) -> Option<(Span, String)>,
    ) -> Option<()> {
        let mut understood = Some(());
        for field in options.fields.iter().filter(|field| field.name == name) {
            if let Some((span, meant)) = find(&field.value) {
                let message = format!("this is not how `{name}` are written");
                let help = format!("write `{name}: {meant}`");
                understood = self.mistake(Code::OptionValue, span, message, help);
            }
        }
        understood
    }

    /// Checks that hosts or proxies stand in brackets.
    fn in_brackets(&mut self, options: &Options, name: &str) -> Option<()> {
        self.form(options, name, |value| {
            text(value).map(|text| (text.span(), format!("[{}]", text.token())))
        })
    }

    /// Checks the literal origins in `pages_of([…])`.
    pub(super) fn origins(&mut self, options: &Options) -> Option<()> {
        self.form(options, ORIGINS, |value| {
            let one = text(value).or_else(|| called("pages_of", value).and_then(text));
            let list = match value {
                Expr::Array(several) => Some(shown(several)),
                _ => one.map(|text| format!("[{}]", text.token())),
            };
            list.map(|list| (value.span(), format!("pages_of({list})")))
        })?;
        let find: Find = |value| called("pages_of", value).map(texts).unwrap_or_default();
        let mistake = |text: &str| {
            text.parse::<Origin>().err().map(|error| (error.to_string(), error.help()))
        };
        self.literals(options, ORIGINS, find, Code::Origin, mistake)
    }

    /// Checks the literal hosts in brackets.
    pub(super) fn hosts(&mut self, options: &Options) -> Option<()> {
        self.in_brackets(options, HOSTS)?;
        let mistake =
            |text: &str| text.parse::<Host>().err().map(|error| (error.to_string(), error.help()));
        self.literals(options, HOSTS, texts, Code::Host, mistake)
    }

    /// Checks the literal addresses and networks in brackets, or in
    /// `forwarded_by([…])`.
    pub(super) fn trusted_proxies(&mut self, options: &Options) -> Option<()> {
        self.in_brackets(options, TRUSTED_PROXIES)?;
        let find: Find = |value| texts(called("forwarded_by", value).unwrap_or(value));
        let mistake = |text: &str| {
            text.parse::<Network>().err().map(|error| (error.to_string(), error.help()))
        };
        self.literals(options, TRUSTED_PROXIES, find, Code::Network, mistake)
    }

    /// Checks the literal texts that `find` finds in the value of an option.
    /// `mistake` returns what is wrong with one, and what to write instead.
    fn literals(
        &mut self,
        options: &Options,
        name: &str,
        find: Find,
        code: Code,
        mistake: fn(&str) -> Option<(String, String)>,
    ) -> Option<()> {
        let mut understood = Some(());
        for field in options.fields.iter().filter(|field| field.name == name) {
            for literal in find(&field.value) {
                if let Some((message, help)) = mistake(&literal.value()) {
                    understood = self.mistake(code, literal.span(), message, help);
                }
            }
        }
        understood
    }

    /// Checks that what a new client gets first is one of the choices, as far as its
    /// form tells.
    pub(super) fn replay(&mut self, options: &Options) -> Option<()> {
        let mut understood = Some(());
        for field in options.fields.iter().filter(|field| field.name == REPLAY) {
            let word = |value: &Expr| match value {
                Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
                _ => None,
            };
            let help = match &field.value {
                Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) if number.suffix().is_empty() => {
                    format!("write `Messages({number})` for the newest {number} messages")
                }
                Expr::Lit(_) => "write `OnlyNew`, `Last`, `Messages(20)` or `All`".to_owned(),
                Expr::Call(call) => match word(&call.func).as_deref() {
                    Some("Last") => {
                        let number = call.args.first().map_or("20".to_owned(), shown);
                        format!("write `Messages({number})`, or `Last` for the newest one alone")
                    }
                    Some(word @ ("OnlyNew" | "All")) => format!("write `{word}` alone"),
                    _ => continue,
                },
                value if word(value).as_deref() == Some("Messages") => {
                    "write how many, such as `Messages(20)`".to_owned()
                }
                _ => continue,
            };
            let message =
                format!("`{}` doesn't say what a new client gets first", shown(&field.value));
            understood = self.mistake(Code::OptionValue, field.value.span(), message, help);
        }
        understood
    }

    /// Returns where it is said how the key of a message is found.
    pub(super) fn latest_by(&mut self, options: &Options) -> Option<Place> {
        let field = options.fields.iter().rfind(|field| field.name == LATEST_BY)?;
        if let Expr::Lit(written) = &field.value {
            let message = format!("`{}` doesn't find the key of a message", shown(written));
            let help = "write a closure, such as `latest_by: |message| &message.id`";
            self.mistakes.add(Code::OptionValue, written.span(), message, help);
        }
        Some(self.places.add(field.name.span()))
    }

    /// Returns the names of literal limits.
    pub(super) fn limits(&mut self, options: &Options) -> Option<Vec<Name>> {
        let mut names = Vec::new();
        for written in options.fields.iter().filter_map(limits) {
            if let Some(dots) = &written.dot2_token {
                return self.mistake(
                    Code::LimitsFilledUp,
                    dots.span(),
                    "limits are not filled up from another value",
                    "remove it; those that aren't named are those of the declaration around",
                );
            }
            for field in &written.fields {
                if let Member::Named(name) = &field.member {
                    names.push(self.word(name));
                }
            }
        }
        Some(names)
    }

    /// Reports names that are close to those which the macro itself
    /// understands: these are no fields that rustc could suggest.
    pub(super) fn misspelled(
        &mut self,
        options: &Options,
        noun: &str,
        understood: &[&str],
    ) -> Option<()> {
        let mut known = Some(());
        for field in &options.fields {
            let name = field.name.to_string();
            let is_key = understood.contains(&LATEST_BY) && name.contains("key");
            let meant = did_you_mean(&name, understood.iter().copied());
            let meant = meant.or(is_key.then_some(LATEST_BY));
            if let Some(meant) = meant.filter(|meant| *meant != name) {
                let message = format!("{noun} has no option `{name}`");
                let help = format!("did you mean `{meant}`?");
                known = self.mistake(Code::UnknownOption, field.name.span(), message, help);
            }
        }
        known
    }

    /// Returns an option's value if it is written as a number.
    pub(super) fn number(&mut self, options: &Options, name: &str) -> Option<(u64, Place)> {
        let field = options.fields.iter().rfind(|field| field.name == name)?;
        let Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) = &field.value else {
            return None;
        };
        Some((number.base10_parse().ok()?, self.places.add(number.span())))
    }

    /// Reports an `endpoint:` on a noun that serves none, since the expansion
    /// has no field for it that rustc would find missing.
    pub(super) fn no_endpoint(&mut self, options: &Options, noun: &str) {
        for field in options.fields.iter().filter(|field| field.name == ENDPOINT) {
            let message = format!("{noun} has no option `{ENDPOINT}`");
            let help = "remove it; who receives what it sends is said at the signal";
            self.mistakes.add(Code::UnknownOption, field.name.span(), message, help);
        }
    }

    /// Returns the endpoints that `endpoint: NAME` or `endpoint: [NAME, …]`
    /// chooses.
    pub(super) fn endpoint_names(&mut self, options: &Options) -> Option<Vec<Name>> {
        let mut names = Vec::new();
        for field in options.fields.iter().filter(|field| field.name == ENDPOINT) {
            match &field.value {
                Expr::Array(several) => {
                    for one in &several.elems {
                        names.push(self.endpoint_name(one)?);
                    }
                }
                one => names.push(self.endpoint_name(one)?),
            }
        }
        Some(names)
    }

    fn endpoint_name(&mut self, value: &Expr) -> Option<Name> {
        match value {
            Expr::Path(path) if path.path.get_ident().is_some() => path.path.get_ident().map(|word| self.word(word)),
            _ => self.mistake(
                Code::UnknownEndpoint,
                value.span(),
                "expected the name of an endpoint",
                "write `endpoint: name` or `endpoint: [one, other]`, as in `endpoint name http \"…\";`",
            ),
        }
    }
}
