///The signal at `/rooms/:type`.
const r#loop: ::pode::SignalFamily<(u8,), String, String> = ::pode::SignalFamily::new(
    "/rooms/:type",
);
///The upstream `yield`.
const r#yield: ::pode::UpstreamName<::pode::Nothing, Tick> = ::pode::UpstreamName::new(
    "yield",
);
///The state `ref`.
const r#ref: ::pode::StateName<u8> = ::pode::StateName::new("ref");
///Builds the server `in`.
fn r#in() -> ::pode::Server {
    let _: ::core::marker::PhantomData<
        (
            ::pode::keyword::server,
            ::pode::keyword::endpoint,
            ::pode::keyword::http,
            ::pode::keyword::endpoint,
            ::pode::keyword::ws,
            ::pode::keyword::state,
            ::pode::keyword::signal,
            ::pode::keyword::on,
            ::pode::keyword::connect,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::upstream,
        ),
    >;
    let mut __declared = ::pode::__private::Declared::new(
        "in",
        {
            use ::pode::__private::server_words::*;
            let mut __options = __Options::default();
            __options.stop_timeout = ::pode::__private::interval(5000u64);
            __options
        },
    );
    __declared
        .endpoint(
            ::core::option::Option::Some("for"),
            ::pode::__private::Protocol::Http,
            8090,
            ::pode::EndpointOptions::default(),
        );
    __declared
        .endpoint(
            ::core::option::Option::None,
            ::pode::__private::Protocol::Ws,
            8090,
            ::pode::EndpointOptions::default(),
        );
    __declared.state::<u8>("ref", 1);
    __declared.signal_family(r#loop, &[], ::pode::SignalOptions::default());
    __declared.signal_function_1(r#loop, r#move);
    __declared.on_connect_1(r#loop, async |event, r#type| greet(event, r#type).await);
    __declared
        .route(
            &[::pode::__private::Method::Get],
            "/kinds/:type",
            &["for"],
            ::pode::__private::function_filter_2(
                ::pode::__private::path("type", ::core::marker::PhantomData::<u8>),
                ::pode::__private::query(::core::marker::PhantomData::<Page>),
                show,
            ),
        );
    __declared
        .upstream_function(
            ::pode::UpstreamName::<::pode::Nothing, Tick>::new(r#yield.as_str()),
            "wss://feed.example",
            ::pode::UpstreamOptions::default(),
            on_tick,
        );
    __declared.into_server()
}
