//! Schedules: parses cron expressions.

use pode_core::check::{Code, did_you_mean};
use pode_core::cron::{Cron, CronError, WORDS};
use pode_core::model::{Head, Schedule};

use super::Resolver;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn schedule(&mut self, head: Head, written: &syntax::Schedule) -> Option<Schedule> {
        let mut understood = self.options(&written.options);
        self.no_endpoint(&written.options, "a schedule");
        for expression in &written.expressions {
            if let Err(error) = Cron::parse(&expression.value()) {
                let (message, span) = (error.to_string(), expression.span());
                understood = self.mistake(code(&error), span, message, help(&error));
            }
        }
        let closure = self.closure(&written.handler, &["event"]);
        understood.and(closure).map(|()| Schedule { head, name: self.text(&written.name) })
    }
}

fn help(error: &CronError) -> String {
    let meant = match error {
        CronError::UnknownWord { word } => did_you_mean(word, WORDS.map(|(word, _)| word)),
        _ => None,
    };
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => error.help(),
    }
}

fn code(error: &CronError) -> Code {
    match error {
        CronError::Never { .. } => Code::CronNever,
        _ => Code::Cron,
    }
}
