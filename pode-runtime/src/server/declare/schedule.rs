//! Declarations of schedules.

use pode_core::cron::Cron;

use crate::app::event::ScheduleEvent;
use crate::base::function::{Function, Takes};
use crate::base::outcome::{Asynchronous, Outcome};
use crate::jobs::schedule::{Schedule, ScheduleOptions};
use crate::server::declare::Declared;

impl Declared {
    /// Adds a schedule.
    ///
    /// # Panics
    ///
    /// When one of the expressions is invalid; the macro has parsed them
    /// before.
    pub fn schedule<Handler, Done>(
        &mut self,
        name: &'static str,
        expressions: &[&str],
        options: ScheduleOptions,
        handler: Handler,
    ) where
        Handler: Fn(ScheduleEvent) -> Done + Send + Sync + 'static,
        Done: Asynchronous<Value: Outcome> + Send + 'static,
    {
        let parse = |written: &&str| {
            Cron::parse(written).expect("the macro parsed this expression by the same rules")
        };
        let expressions = expressions.iter().map(parse).collect();
        let handler = move |firing| handler(ScheduleEvent::new(firing));
        self.schedules.push(Schedule::new(name, expressions, options, handler));
    }
    /// Adds a schedule whose handler is a function.
    ///
    /// # Panics
    ///
    /// As for [`schedule`](Self::schedule).
    pub fn schedule_function<Handler, Taken, Done>(
        &mut self,
        name: &'static str,
        expressions: &[&str],
        options: ScheduleOptions,
        handler: Handler,
    ) where
        Handler: Function<Taken, Answer = Done> + Send + Sync + 'static,
        Taken: Takes<(ScheduleEvent,)>,
        Done: Asynchronous<Value: Outcome> + Send + 'static,
    {
        let handler = move |event| handler.call(Taken::of((event,)));
        self.schedule(name, expressions, options, handler);
    }
}
