//! Signals: paths understood.

use pode_core::model::{Head, Signal};

use super::Resolver;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn signal(&mut self, head: Head, written: &syntax::Signal) -> Option<Signal> {
        let path = self.fixed_path(&written.path, "signal path");
        let options = self.options(&written.options);
        let endpoints = self.endpoint_names(&written.options);
        Some(Signal {
            head,
            name: options.map(|()| self.word(&written.name))?,
            path: path?,
            path_place: self.places.add(written.path.span()),
            endpoints: endpoints?,
        })
    }
}
