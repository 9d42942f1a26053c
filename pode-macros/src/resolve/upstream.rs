//! Upstreams: parses URLs.

use pode_core::UpstreamUrl;
use pode_core::check::Code;
use pode_core::model::{Head, Upstream};
use quote::ToTokens;

use super::Resolver;
use super::options::text;
use crate::syntax::{self, ON_CONNECT};

/// The option that names the trusted authorities.
pub(super) const ROOTS: &str = "roots";

impl Resolver<'_> {
    pub(super) fn upstream(&mut self, head: Head, written: &syntax::Upstream) -> Option<Upstream> {
        let url = self.url(written);
        let options = self.options(&written.options);
        let options = self.misspelled(&written.options, "an upstream", &[ON_CONNECT]).and(options);
        self.no_endpoint(&written.options, "an upstream");
        let owned = self.owned([&written.receives]);
        let handler = match &written.handler {
            Ok(handler) => self.closure(handler, &["event", "message"]),
            Err(error) => {
                self.mistakes.add_syntax(error);
                None
            }
        };
        self.told_once(written.on_connect.iter().map(|field| &field.name));
        let opening = written.on_connect.iter();
        let opening = opening.map(|field| self.closure(&field.value.to_token_stream(), &["event"]));
        let opening = opening.collect::<Vec<_>>().into_iter().collect::<Option<()>>();
        url.and(options).and(owned).and(handler).and(opening)?;
        let names_roots = written.options.fields.iter().any(|field| field.name == ROOTS);
        Some(Upstream { head, name: self.word(&written.name), names_roots })
    }

    /// Checks a literal URL; any other is checked at the start.
    fn url(&mut self, written: &syntax::Upstream) -> Option<()> {
        let Some(url) = text(&written.url) else { return Some(()) };
        match url.value().parse::<UpstreamUrl>() {
            Ok(_) => Some(()),
            Err(error) => {
                let (message, help) = (error.to_string(), error.help());
                self.mistake(Code::UpstreamUrl, url.span(), message, help)
            }
        }
    }
}
