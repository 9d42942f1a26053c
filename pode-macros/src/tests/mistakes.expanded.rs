///The signal at `news`.
const NEWS: ::pode::SignalPath<News> = ::pode::SignalPath::new("/");
///Builds the server `broken`.
fn broken() -> ::pode::Server {
    ::core::compile_error! {
        "unknown declaration `endpont` [PODE003]\n\nhelp: did you mean `endpoint`?"
    }
    ::core::compile_error! {
        "port `80900` is out of range [PODE041]\n\nhelp: ports go from 0 to 65535; 0 picks a free one"
    }
    ::core::compile_error! {
        "signal path `news` must start with `/` [PODE010]\n\nhelp: write `\"/news\"`"
    }
    ::core::compile_error! {
        "route path `about` must start with `/` [PODE010]\n\nhelp: write `\"/about\"`"
    }
    ::core::compile_error! {
        "an interval needs a unit [PODE092]\n\nhelp: write `5s`, `500ms`, `2min` or `1h`"
    }
    ::core::compile_error! {
        "route `GET /` is declared twice [PODE017]\n\nhelp: remove one, or give one an `endpoint:` option"
    }
    ::core::compile_error! {
        "first declared here"
    }
    let _: ::core::marker::PhantomData<
        (
            ::pode::keyword::server,
            ::pode::keyword::endpoint,
            ::pode::keyword::ws,
            ::pode::keyword::signal,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::timer,
            ::pode::keyword::every,
        ),
    >;
    let _ = &about;
    let _ = &sample;
    let mut __declared = ::pode::__private::Declared::new(
        "broken",
        ::pode::ServerOptions::default(),
    );
    __declared
        .route(
            &[::pode::__private::Method::Get],
            "/",
            &[],
            ::pode::__private::function_filter_0(index),
        );
    __declared
        .route(
            &[::pode::__private::Method::Get],
            "/",
            &[],
            ::pode::__private::function_filter_0(other),
        );
    __declared.into_server()
}
