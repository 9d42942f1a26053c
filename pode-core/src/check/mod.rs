//! The rules that a declared server must keep.
//!
//! Each rule is a plain function from the model to diagnostics, in a file of
//! its own or of its group. Rules only check the model; they change nothing and
//! read no files. Declarations whose `#[cfg]`s differ are never checked against
//! each other, since they may never be in one build.
//!
//! `code` numbers the mistakes, `diagnostic` is one of them, `suggestion` finds what
//! was meant. `site` is what a server offers, `pages` compares what its pages
//! request, and `redirects` where they lead. `files`, `templates`, `values` and
//! `positions` check views, `connections` the handlers `on connect`, `constants` the
//! names of those, `reserved` and `twice` other names and paths.

mod arguments;
mod backplanes;
#[cfg(feature = "tls")]
mod certificates;
mod code;
mod connections;
mod constants;
mod diagnostic;
mod endpoints;
mod files;
mod limits;
mod mounts;
mod operations;
mod pages;
#[cfg(feature = "views")]
mod positions;
mod redirects;
mod reserved;
mod routes;
mod signals;
mod site;
mod suggestion;
#[cfg(feature = "views")]
mod templates;
mod timers;
mod twice;
#[cfg(feature = "views")]
mod values;

pub use arguments::{MAX_ARGUMENTS, MAX_PARAMETERS};
pub use code::Code;
pub use diagnostic::{Diagnostic, text};
pub use limits::is_limit;
pub use reserved::RESERVED_SEGMENT;
pub use suggestion::{did_you_mean, help_with_choices};
#[cfg(feature = "views")]
pub use templates::check_view;

use crate::model::Server;
use site::Site;

/// Returns all mistakes in the declarations of a server, rule by rule.
pub fn check(server: &Server) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    endpoints::check(server, &mut found);
    #[cfg(feature = "tls")]
    certificates::check(server, &mut found);
    limits::check(server, &mut found);
    operations::check(server, &mut found);
    files::check(server, &mut found);
    #[cfg(feature = "views")]
    templates::check(server, &mut found);
    mounts::check(server, &mut found);
    reserved::check(server, &mut found);
    routes::check(server, &mut found);
    // A declaration that was not understood may contain what seems to be lacking.
    let site = (!server.incomplete).then(|| Site::of(server));
    redirects::check(server, site.as_ref(), &mut found);
    arguments::check(server, &mut found);
    signals::check(server, &mut found);
    backplanes::check(server, &mut found);
    connections::check(server, &mut found);
    constants::check(server, &mut found);
    timers::check(server, &mut found);
    if let Some(site) = &site {
        pages::check(server, site, &mut found);
    }
    endpoints::check_idle(server, &mut found);
    found
}
