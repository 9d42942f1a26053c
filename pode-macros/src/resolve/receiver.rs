//! The receiver of clients' messages: a handler, or the signal itself, which
//! rebroadcasts them.

use std::iter;

use pode_core::check::Code;
use pode_core::model::{Level, Receiver};
use proc_macro2::Span;
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Expr, Type};

use super::Resolver;
use crate::shown::shown;
use crate::syntax::{self, Field, Signal};

/// The option that allows a signal to rebroadcast, and how far.
const REBROADCAST: &str = "rebroadcast";

impl Resolver<'_> {
    /// Returns the receiver of clients' messages, if there is a valid one.
    pub(super) fn receiver(&mut self, written: &Signal, level: (Level, Span)) -> Option<Receiver> {
        let option = written.options.fields.iter().find(|field| field.name == REBROADCAST);
        match (&written.receives, &written.receiver) {
            (None, Some(receiver)) => self.needless_receiver(written, receiver),
            (Some(received), Some(syntax::Receiver::Rebroadcast(word))) => {
                self.rebroadcast(written, received, word, option, level)
            }
            (_, _) if option.is_some() => self.needless_option(written, option?),
            (None, None) => None,
            (Some(_), Some(syntax::Receiver::Handler { handler, .. })) if !handler.is_empty() => {
                let arguments = written.arguments.iter().map(|argument| argument.name.to_string());
                let names: Vec<String> = arguments.collect();
                let names = names.iter().map(String::as_str);
                let names: Vec<&str> =
                    iter::once("event").chain(names).chain(["message"]).collect();
                self.closure(handler, &names).map(|()| Receiver::Handler)
            }
            (Some(received), _) => self.no_receiver(written, received),
        }
    }

    fn needless_receiver(
        &mut self,
        written: &Signal,
        receiver: &syntax::Receiver,
    ) -> Option<Receiver> {
        let (name, sends) = (&written.name, shown(&written.sends));
        let (span, help) = match receiver {
            syntax::Receiver::Rebroadcast(word) => {
                (word.span(), format!("write `signal {name}: {sends} -> {sends}`, or remove it"))
            }
            syntax::Receiver::Handler { arrow, .. } => (
                arrow.span(),
                format!(
                    "write `signal {name}: Type -> {sends}`, with the type of what clients send"
                ),
            ),
        };
        let message = format!("clients of signal `{name}` send nothing that a handler could take");
        self.mistake(Code::NeedlessReceiver, span, message, help)
    }

    fn no_receiver(&mut self, written: &Signal, received: &Type) -> Option<Receiver> {
        let (name, received, sent) = (&written.name, shown(received), shown(&written.sends));
        let message = format!("signal `{name}` receives `{received}`, but nothing takes it");
        let arguments = written.arguments.iter();
        let arguments = arguments.map(|it| format!("{}: {}, ", it.name, shown(&it.ty)));
        let arguments: String = arguments.collect();
        let mut help = format!(
            "add `=> handler`, an `async fn(event: SignalEvent<{sent}>, {arguments}message: {received})`"
        );
        if received == sent {
            help += ", or `{ rebroadcast: Anyone } => rebroadcast`";
        }
        self.mistake(Code::NoReceiver, written.end, message, help)
    }

    fn rebroadcast(
        &mut self,
        written: &Signal,
        received: &Type,
        word: &syn::Ident,
        option: Option<&Field>,
        (level, level_span): (Level, Span),
    ) -> Option<Receiver> {
        let name = &written.name;
        let text = |ty: &Type| ty.to_token_stream().to_string();
        if text(received) != text(&written.sends) {
            let (received, sent) = (shown(received), shown(&written.sends));
            let message = format!(
                "signal `{name}` can't rebroadcast: it receives `{received}` and sends `{sent}`"
            );
            let help = "write one type on both sides of `->`, or a handler";
            return self.mistake(Code::RebroadcastType, word.span(), message, help);
        }
        let Some(option) = option else {
            let message = format!("signal `{name}` doesn't say to whom it rebroadcasts");
            let help = "add the option `{ rebroadcast: Anyone }` or `{ rebroadcast: OwnGroups }`";
            return self.mistake(Code::RebroadcastOption, word.span(), message, help);
        };
        // Any other value may be the narrower word, or have its meaning.
        let anyone = matches!(&option.value, Expr::Path(word) if word.path.is_ident("Anyone"));
        let help = match level {
            Level::Name => return Some(Receiver::Rebroadcast),
            Level::Group if !anyone => return Some(Receiver::Rebroadcast),
            Level::Group => "remove the level, or write `rebroadcast: OwnGroups`",
            Level::Client => "remove the level, or write a handler that says whom a message is for",
        };
        let level = level.as_str();
        let message = format!("signal `{name}` can't rebroadcast that far at the level `{level}`");
        self.mistake(Code::RebroadcastLevel, level_span, message, help)
    }

    fn needless_option(&mut self, written: &Signal, option: &Field) -> Option<Receiver> {
        let help = match (&written.receives, &written.receiver) {
            (_, Some(_)) => "write that in place of the handler, or remove the option".to_owned(),
            (Some(_), None) => "add that, or remove the option".to_owned(),
            (None, None) => {
                let sends = shown(&written.sends);
                format!("write `{sends} -> {sends}` and add that, or remove the option")
            }
        };
        let message = "`rebroadcast:` says nothing without `=> rebroadcast`";
        self.mistake(Code::RebroadcastOption, option.name.span(), message, help)
    }
}
