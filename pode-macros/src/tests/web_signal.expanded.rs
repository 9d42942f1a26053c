///The signal at `/`.
#[allow(private_interfaces)]
pub const CHAT: ::pode::SignalPath<Message> = ::pode::SignalPath::new("/");
///The signal at `/response-times`.
#[allow(private_interfaces)]
pub const RESPONSE_TIMES: ::pode::SignalPath<ResponseTimes> = ::pode::SignalPath::new(
    "/response-times",
);
/// Sends whatever anyone types to everyone who listens.
pub fn web_signal() -> ::pode::Server {
    let _: ::core::marker::PhantomData<
        (
            ::pode::keyword::server,
            ::pode::keyword::endpoint,
            ::pode::keyword::http,
            ::pode::keyword::endpoint,
            ::pode::keyword::ws,
            ::pode::keyword::signal,
            ::pode::keyword::signal,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::route,
            ::pode::keyword::POST,
        ),
    >;
    let mut __declared = ::pode::__private::Declared::new(
        "web_signal",
        ::pode::ServerOptions::default(),
    );
    __declared
        .endpoint(
            ::core::option::Option::None,
            ::pode::__private::Protocol::Http,
            "127.0.0.1:8090",
            ::pode::EndpointOptions::default(),
        );
    __declared
        .endpoint(
            ::core::option::Option::None,
            ::pode::__private::Protocol::Ws,
            "127.0.0.1:8091",
            ::pode::EndpointOptions::default(),
        );
    __declared
        .signal_channel(
            ::pode::SignalPath::<Message>::new("/"),
            &[],
            ::pode::SignalOptions::default(),
        );
    __declared
        .signal_channel(
            ::pode::SignalPath::<ResponseTimes>::new("/response-times"),
            &[],
            ::pode::SignalOptions::default(),
        );
    __declared
        .route(
            &[::pode::__private::Method::Get],
            "/",
            &[],
            ::pode::__private::handler_filter_0(async |_| html(PAGE)),
        );
    __declared
        .route(
            &[::pode::__private::Method::Post],
            "/broadcast",
            &[],
            ::pode::__private::function_filter_1(
                ::pode::__private::form(::core::marker::PhantomData::<Broadcast>),
                broadcast,
            ),
        );
    __declared.into_server()
}
