//! The `pode_server!` macro: declarations in, warp filters and broadcast
//! channels out.
//!
//! A small compiler in named stages. `syntax` parses the source, `resolve`
//! makes the model, the checks of `pode-core` validate the whole, and `expand`
//! writes it as Rust. Mistakes of all stages are collected and reported
//! together. Use it through the `pode` crate, whose items the expansion names.
//!
//! `diagnostic` turns mistakes into compile errors at the user's tokens, `files` is the
//! only access to the user's files, `feature` are the parts that a build may leave out,
//! `shown` prints types as users would write them. `view` is the derive `View`.

mod diagnostic;
mod expand;
mod feature;
mod files;
mod resolve;
mod shown;
mod syntax;
mod view;

#[cfg(test)]
mod tests;

use diagnostic::Mistakes;

/// Declares a server: its endpoints, routes, signals, views and public files.
///
/// An invocation is a head and declarations, each ended by `;`. All of them, shortened:
///
/// ```text
/// pub server shop(settings: Settings) { send_timeout: 2s };
///
/// views  "views";
/// public "public";
/// public "/static" "assets" { cache_age: 1h };
///
/// endpoint http  "127.0.0.1:8090";
/// endpoint ws    "127.0.0.1:8090";
/// endpoint https "*:8443" { certificate: pem("shop.pem", "shop.key") };
/// endpoint inner http settings.address;
///
/// backplane redis settings.redis_url { kept_messages: 100_000 };
///
/// state STOCK: Stock = Stock::default();
///
/// signal NEWS: Item = "/news" { on_lag: Latest };
/// signal CHAT: Post -> Message = "/chat/:room" (room: String) => say;
/// signal WALL: Note -> Note = "/wall" { rebroadcast: Anyone } => rebroadcast;
/// on connect    CHAT => enter;
/// on disconnect CHAT => leave;
///
/// route GET       "/"                                 => view "index";
/// route GET       "/start"                            => redirect "/";
/// route GET       "/items/:id" (id: u64, query: Page) => show;
/// route POST, PUT "/items"     (form: Item)           => add;
/// mount "/api" filter;
///
/// timer    "sample"  every 5s         => sample;
/// schedule "nightly" cron "0 0 * * *" => clean_up;
/// upstream FEED: Tick -> Order = "wss://feed.example/" => on_tick;
/// ```
///
/// The head declares the function `shop(settings)`, which returns the `Server`. `pub`
/// and parameters are there if wanted; the parameters may be used in every expression.
/// Other declarations stand in any order, any number of times (`views` once), and may
/// have `#[cfg(…)]` and doc comments.
///
/// - Options stand in `{ … }` behind what they belong to, and may be left out.
///   Durations are `250ms`, `5s`, `2min` or `1h`.
/// - `=> handler` is the name of an `async fn`, or an `async` closure. It takes an
///   event, and then what stands in `( … )`, in this order.
/// - `In -> Out` are types that serde reads and writes; a signal of one type only
///   sends.
/// - A path is a literal; `:name` matches one segment and `*rest` all that is left.
///
/// Lints may be forbidden, all `warnings` too, but for `private_interfaces`: of a
/// server with `pub`, whose constants may be of private types, it may be denied.
///
/// Each word has its page, which an editor shows where it stands: [`server`],
/// [`views`], [`public`], [`endpoint`] ([`http`], [`https`], [`ws`], [`wss`]),
/// [`backplane`] ([`redis`]), [`state`], [`signal`] ([`rebroadcast`]), [`on`], [`route`]
/// ([`view`], [`redirect`]), [`mount`], [`timer`], [`schedule`] ([`cron`]), [`upstream`]. A
/// mistake is a compile error with a code, such as PODE017, which the page
/// [checks](../pode/checks/index.html) explains.
///
/// [`server`]: ../pode/keyword/enum.server.html
/// [`views`]: ../pode/keyword/enum.views.html
/// [`public`]: ../pode/keyword/enum.public.html
/// [`endpoint`]: ../pode/keyword/enum.endpoint.html
/// [`http`]: ../pode/keyword/enum.http.html
/// [`https`]: ../pode/keyword/enum.https.html
/// [`ws`]: ../pode/keyword/enum.ws.html
/// [`wss`]: ../pode/keyword/enum.wss.html
/// [`backplane`]: ../pode/keyword/enum.backplane.html
/// [`redis`]: ../pode/keyword/enum.redis.html
/// [`state`]: ../pode/keyword/enum.state.html
/// [`signal`]: ../pode/keyword/enum.signal.html
/// [`rebroadcast`]: ../pode/keyword/enum.rebroadcast.html
/// [`on`]: ../pode/keyword/enum.on.html
/// [`mount`]: ../pode/keyword/enum.mount.html
/// [`route`]: ../pode/keyword/enum.route.html
/// [`view`]: ../pode/keyword/enum.view.html
/// [`redirect`]: ../pode/keyword/enum.redirect.html
/// [`timer`]: ../pode/keyword/enum.timer.html
/// [`schedule`]: ../pode/keyword/enum.schedule.html
/// [`cron`]: ../pode/keyword/enum.cron.html
/// [`upstream`]: ../pode/keyword/enum.upstream.html
#[proc_macro]
pub fn pode_server(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    compile(input.into()).into()
}

/// Each mistake is a compile error with a code, at the struct's name or at that of
/// its view.
#[proc_macro_derive(View, attributes(view))]
pub fn view(input: proc_macro::TokenStream) -> proc_macro::TokenStream {
    view::derive(input.into()).into()
}

fn compile(input: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    let mut mistakes = Mistakes::default();
    let Some(written) = syntax::parse(input, &mut mistakes) else {
        return mistakes.errors();
    };
    let (model, places) = resolve::resolve(&written, &mut mistakes);
    for diagnostic in pode_core::check::check(&model) {
        mistakes.add_found(diagnostic, &places);
    }
    expand::expand(&written, &model, mistakes)
}
