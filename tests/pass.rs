//! Valid code that is close to each mistake compiles without a warning, and
//! makes its servers.

#[path = "ui/pass"]
#[allow(
    clippy::type_complexity,
    clippy::useless_conversion,
    reason = "it is about what the expansion allows"
)]
mod pass {
    mod arguments;
    mod backplanes;
    mod certificates;
    mod conversations;
    mod endpoints;
    mod files;
    mod hand_over;
    mod language;
    mod limits;
    mod names_of_the_user;
    mod routes;
    mod signals;
    mod time;
    mod upstreams;
}
