//! A timer becomes one call, and so does a schedule.

use pode_core::model::{Schedule, Timer};
use proc_macro2::TokenStream;
use quote::{format_ident, quote_spanned};
use syn::spanned::Spanned;

use super::{Expansion, by_kind, options};
use crate::resolve::options::ENDPOINT;
use crate::syntax::Kind;

impl Expansion<'_> {
    pub(super) fn timer(&self, timer: &Timer) -> TokenStream {
        let Kind::Timer(written) = self.kind(&timer.head) else {
            return TokenStream::new();
        };
        let (cfgs, name, handler) = (self.cfgs(&timer.head), &written.name, &written.handler);
        let interval = options::value(&written.interval);
        let (words, ty) =
            (self.words("timer_words", &written.options), format_ident!("TimerOptions"));
        let options = options::fields(Some(words), &ty, &[ENDPOINT], &written.options);
        // rustc reports errors of the handler at the handler.
        let span = handler.span();
        let declared = self.declared_at(span);
        let call = format_ident!("{}", by_kind(handler, "timer", "timer_function"), span = span);
        let handler = self.handler(handler);
        quote_spanned! { span=> #cfgs #declared.#call(#name, #interval, #options, #handler); }
    }

    pub(super) fn schedule(&self, schedule: &Schedule) -> TokenStream {
        let Kind::Schedule(written) = self.kind(&schedule.head) else {
            return TokenStream::new();
        };
        let (cfgs, name, handler) = (self.cfgs(&schedule.head), &written.name, &written.handler);
        let expressions = &written.expressions;
        let (words, ty) =
            (self.words("schedule_words", &written.options), format_ident!("ScheduleOptions"));
        let options = options::fields(Some(words), &ty, &[ENDPOINT], &written.options);
        let span = handler.span();
        let declared = self.declared_at(span);
        let call = by_kind(handler, "schedule", "schedule_function");
        let call = format_ident!("{call}", span = span);
        let handler = self.handler(handler);
        quote_spanned! { span=> #cfgs #declared.#call(#name, &[#(#expressions),*], #options, #handler); }
    }
}
