//! Stands in for the check of templates where the feature `views` is off, which is
//! reported.

use proc_macro2::{Ident, TokenStream};

use super::Named;
use super::fields::Variables;
use crate::diagnostic::Mistakes;

pub(super) fn shown(_: &Ident, _: &Named, _: &Variables, _: &mut Mistakes) -> Option<TokenStream> {
    None
}
