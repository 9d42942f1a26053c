//! Signals: parses paths and levels.

use pode_core::check::{Code, help_with_choices};
use pode_core::model::{Head, HistoryNeed, Level, Place, Signal};
use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Lit};

use super::Resolver;
use super::options::{ENDPOINT, LATEST_BY, LEVEL, REPLAY};
use crate::shown::shown;
use crate::syntax::{self, Options};

/// The option that says how many messages are kept.
const KEPT: &str = "history_messages";

/// The options that say of how many clients each is told, and for how long they are
/// present.
const PRESENCE: &str = "presence";
const PRESENCE_GRACE: &str = "presence_grace";

impl Resolver<'_> {
    pub(super) fn signal(&mut self, head: Head, written: &syntax::Signal) -> Option<Signal> {
        let path = self.signal_path(&written.path);
        let level = self.level(&written.options);
        let receiver = self.receiver(written, level);
        let options = self.options(&written.options);
        let options = self
            .misspelled(&written.options, "a signal", &[LEVEL, ENDPOINT, LATEST_BY])
            .and(options);
        let values = self.origins(&written.options).and(self.replay(&written.options));
        let endpoints = self.endpoint_names(&written.options);
        let arguments = written.arguments.iter().map(|argument| &argument.ty);
        let owned = self.owned(written.receives.iter().chain(arguments));
        Some(Signal {
            head,
            name: options.and(values).and(owned).map(|()| self.word(&written.name))?,
            path: path?,
            path_place: self.places.add(written.path.span()),
            arguments: self.arguments(&written.arguments),
            receiver,
            level: level.0,
            endpoints: endpoints?,
            capacity_messages: self.number(&written.options, "capacity_messages"),
            history_messages: self.number_or_zero(&written.options, KEPT),
            presence: self.number_or_zero(&written.options, PRESENCE),
            presence_grace: self.place_of(&written.options, PRESENCE_GRACE),
            history_needs: self.history_needs(&written.options),
            latest_by: self.latest_by(&written.options),
        })
    }

    /// Returns the value of an option, 0 if it isn't there; `None` if it isn't written as a
    /// number.
    fn number_or_zero(&mut self, options: &Options, name: &str) -> Option<u64> {
        match options.fields.iter().any(|field| field.name == name) {
            true => self.number(options, name).map(|(number, _)| number),
            false => Some(0),
        }
    }

    /// Returns where an option stands.
    fn place_of(&mut self, options: &Options, name: &str) -> Option<Place> {
        let field = options.fields.iter().rfind(|field| field.name == name)?;
        Some(self.places.add(field.name.span()))
    }

    /// Returns the options that need messages to be kept.
    fn history_needs(&mut self, options: &Options) -> Vec<HistoryNeed> {
        let needs = options.fields.iter().filter_map(|field| {
            let messages = match (&*field.name.to_string(), &field.value) {
                ("history_age" | "history_bytes" | LATEST_BY, _) => 1,
                (REPLAY, Expr::Path(path)) => {
                    match &*path.path.segments.last()?.ident.to_string() {
                        "Last" | "All" => 1,
                        _ => return None,
                    }
                }
                (REPLAY, Expr::Call(call)) => match call.args.first() {
                    Some(Expr::Lit(ExprLit { lit: Lit::Int(number), .. })) => {
                        number.base10_parse().ok()?
                    }
                    _ => 1,
                },
                _ => return None,
            };
            Some(HistoryNeed { option: self.word(&field.name), messages })
        });
        needs.collect()
    }

    /// Returns the level, and where it stands.
    fn level(&mut self, options: &Options) -> (Level, Span) {
        let mut level = (Level::default(), Span::call_site());
        for field in options.fields.iter().filter(|field| field.name == LEVEL) {
            let span = field.value.span();
            // A longer path ends with the level's name.
            let word = match &field.value {
                Expr::Path(path) => path.path.segments.last().map(|last| last.ident.to_string()),
                _ => None,
            };
            let alone = matches!(&field.value, Expr::Path(path) if path.path.get_ident().is_some());
            match word.as_deref().filter(|_| alone).and_then(Level::parse) {
                Some(word) => level = (word, span),
                None => {
                    let message = format!("`{}` is not a level", shown(&field.value));
                    let choices = Level::ALL.map(Level::as_str);
                    let word = word.unwrap_or_default();
                    let help = help_with_choices(&word, &choices, "levels are");
                    self.mistakes.add(Code::UnknownLevel, span, message, help);
                }
            }
        }
        level
    }
}
