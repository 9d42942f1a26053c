//! States: identified by the type as written.

use pode_core::model::{Head, Name, State};
use quote::ToTokens;
use syn::spanned::Spanned;

use super::Resolver;
use crate::syntax;

impl Resolver<'_> {
    pub(super) fn state(&mut self, head: Head, written: &syntax::State) -> Option<State> {
        let text = written.ty.to_token_stream().to_string();
        Some(State { head, ty: Name { text, place: self.places.add(written.ty.span()) } })
    }
}
