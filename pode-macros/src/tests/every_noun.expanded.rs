/// What is new.
#[cfg(feature = "signals")]
#[allow(private_interfaces)]
pub(crate) const NEWS: ::pode::SignalPath<Vec<News>> = ::pode::SignalPath::new("/news");
///The signal at `/chat`.
#[allow(private_interfaces)]
pub(crate) const CHAT: ::pode::SignalPath<Message, Post, ::pode::level::Group> = ::pode::SignalPath::new(
    "/chat",
);
///The signal at `/rooms/:room`.
#[allow(private_interfaces)]
pub(crate) const ROOM: ::pode::SignalFamily<(RoomId,), Message> = ::pode::SignalFamily::new(
    "/rooms/:room",
);
///The signal at `/halls/:hall/seats/:seat`.
#[allow(private_interfaces)]
pub(crate) const SEAT: ::pode::SignalFamily<
    (String, u8),
    Vec<u8>,
    u8,
    ::pode::level::Client,
> = ::pode::SignalFamily::new("/halls/:hall/seats/:seat");
///The signal at `/prices`.
#[allow(private_interfaces)]
pub(crate) const PRICE: ::pode::SignalPath<
    Tick,
    ::pode::Nothing,
    ::pode::level::Name,
    ::pode::LatestBy<Tick>,
> = ::pode::SignalPath::new("/prices")
    .latest_by(|tick| ::std::string::ToString::to_string(&{ &tick.symbol }));
///The signal at `/games/:game`.
#[allow(private_interfaces)]
pub(crate) const SCORE: ::pode::SignalFamily<
    (u32,),
    Score,
    Guess,
    ::pode::level::Name,
    ::pode::LatestBy<Score>,
> = ::pode::SignalFamily::new("/games/:game")
    .latest_by(|__message| ::std::string::ToString::to_string(
        &(Score::player)(__message),
    ));
#[cfg(feature = "signals")]
///The signal at `/wall`.
#[allow(private_interfaces)]
pub(crate) const WALL: ::pode::SignalPath<String, String> = ::pode::SignalPath::new(
    "/wall",
);
/// What it costs.
#[allow(private_interfaces)]
pub(crate) const PRICES: ::pode::UpstreamName<Subscribe, Tick> = ::pode::UpstreamName::new(
    "PRICES",
);
#[cfg(feature = "signals")]
///The upstream `HEADLINES`.
#[allow(private_interfaces)]
pub(crate) const HEADLINES: ::pode::UpstreamName<::pode::Nothing, Headline> = ::pode::UpstreamName::new(
    "HEADLINES",
);
///The state `COUNTER`.
#[allow(private_interfaces)]
pub(crate) const COUNTER: ::pode::StateName<Counter> = ::pode::StateName::new("COUNTER");
///Builds the server `house`.
pub(crate) fn house(settings: Settings) -> ::pode::Server {
    #[cfg(feature = "signals")]
    const _: () = {
        #[deprecated(
            note = "a password in the code is in every copy of the program; write `password_from_env(\"NAME\")` or `password_from_file(\"path\")`"
        )]
        const PODE056: () = ();
        PODE056
    };
    let _: ::core::marker::PhantomData<
        (
            ::pode::keyword::server,
            ::pode::keyword::views,
            ::pode::keyword::public,
            ::pode::keyword::mount,
            ::pode::keyword::endpoint,
            ::pode::keyword::http,
            ::pode::keyword::endpoint,
            ::pode::keyword::http,
            ::pode::keyword::operations,
            ::pode::keyword::endpoint,
            ::pode::keyword::ws,
            ::pode::keyword::endpoint,
            ::pode::keyword::https,
            ::pode::keyword::certificate,
            ::pode::keyword::endpoint,
            ::pode::keyword::wss,
            ::pode::keyword::certificate,
            ::pode::keyword::endpoint,
            ::pode::keyword::https,
            ::pode::keyword::certificate,
            ::pode::keyword::endpoint,
            ::pode::keyword::https,
            ::pode::keyword::certificate,
            ::pode::keyword::client_certificate,
            ::pode::keyword::backplane,
            ::pode::keyword::redis,
            ::pode::keyword::backplane,
            ::pode::keyword::redis,
            ::pode::keyword::state,
            ::pode::keyword::signal,
            ::pode::keyword::signal,
            ::pode::keyword::signal,
            ::pode::keyword::signal,
            ::pode::keyword::signal,
            ::pode::keyword::signal,
            ::pode::keyword::signal,
            ::pode::keyword::rebroadcast,
            ::pode::keyword::on,
            ::pode::keyword::connect,
            ::pode::keyword::on,
            ::pode::keyword::disconnect,
            ::pode::keyword::on,
            ::pode::keyword::disconnect,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::view,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::POST,
            ::pode::keyword::route,
            ::pode::keyword::PUT,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::redirect,
            ::pode::keyword::route,
            ::pode::keyword::POST,
            ::pode::keyword::timer,
            ::pode::keyword::every,
            ::pode::keyword::timer,
            ::pode::keyword::every,
            ::pode::keyword::schedule,
            ::pode::keyword::cron,
            ::pode::keyword::upstream,
            ::pode::keyword::upstream,
        ),
    >;
    let mut __declared = ::pode::__private::Declared::new(
        "house",
        {
            use ::pode::__private::server_words::*;
            let mut __options = __Options::default();
            __options.send_timeout = ::pode::__private::interval(2000u64);
            __options.stop_timeout = settings.stop;
            __options.client_ids = signed_by(settings.secret).strict();
            __options.hand_over = ::pode::__private::converted(settings.socket);
            __options.drain = ::pode::__private::interval(5000u64);
            *__options.limits.max_connections.get_or_insert_default() = settings.most;
            *__options.limits.head_timeout.get_or_insert_default() = ::pode::__private::interval(
                5000u64,
            );
            __options
        },
    );
    #[cfg(debug_assertions)] __declared.crate_folder(::core::env!("CARGO_MANIFEST_DIR"));
    __declared
        .endpoint(
            ::core::option::Option::None,
            ::pode::__private::Protocol::Http,
            settings.address,
            ::pode::EndpointOptions::default(),
        );
    __declared
        .endpoint(
            ::core::option::Option::Some("inner"),
            ::pode::__private::Protocol::Http,
            9000,
            {
                use ::pode::__private::endpoint_words::*;
                let mut __options = __Options::default();
                __options.limits = {
                    let __limits: ::pode::Limits = settings.limits;
                    __limits.into()
                };
                __options
            },
        );
    #[cfg(feature = "signals")]
    __declared
        .endpoint(
            ::core::option::Option::None,
            ::pode::__private::Protocol::Ws,
            "*:8091",
            ::pode::EndpointOptions::default(),
        );
    __declared
        .endpoint(
            ::core::option::Option::None,
            ::pode::__private::Protocol::Https,
            "*:8443",
            {
                use ::pode::__private::endpoint_words::*;
                let mut __options = __Options::default();
                __options.certificate = self_signed();
                __options
            },
        );
    #[cfg(feature = "signals")]
    __declared
        .endpoint(
            ::core::option::Option::None,
            ::pode::__private::Protocol::Wss,
            "*:8443",
            {
                use ::pode::__private::endpoint_words::*;
                let mut __options = __Options::default();
                __options.certificate = pfx("elsewhere.pfx", "secret").at_run_time();
                __options
            },
        );
    __declared
        .endpoint(
            ::core::option::Option::Some("chain"),
            ::pode::__private::Protocol::Https,
            9443,
            {
                use ::pode::__private::endpoint_words::*;
                const _: fn() = || {
                    let _ = ::core::include_bytes!(
                        ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
                        "/src/tests/certificate/chain.pem")
                    );
                };
                let mut __options = __Options::default();
                __options.certificate = pem(
                    "src/tests/certificate/chain.pem",
                    "src/tests/certificate/key.pem",
                );
                __options
            },
        );
    __declared
        .endpoint(
            ::core::option::Option::Some("guarded"),
            ::pode::__private::Protocol::Https,
            9444,
            {
                use ::pode::__private::endpoint_words::*;
                let mut __options = __Options::default();
                __options.certificate = ::pode::Certificate::from([
                    self_signed(),
                    pem("elsewhere.pem", "elsewhere.key")
                        .password(password_from_env("NAME"))
                        .at_run_time(),
                ]);
                __options.client_certificate = required("clients.pem").at_run_time();
                __options
            },
        );
    __declared
        .backplane(
            ::pode::__private::Backplane::redis(
                settings.redis_url,
                {
                    use ::pode::__private::backplane_words::*;
                    let mut __options = __Options::default();
                    __options.kept_messages = ::pode::__private::number(100_000);
                    __options.start = Anyway;
                    __options.name = ::pode::__private::converted(settings.name);
                    __options
                },
            ),
        );
    #[cfg(feature = "signals")]
    __declared
        .backplane(
            ::pode::__private::Backplane::redis(
                "unix:///run/redis.sock",
                {
                    use ::pode::__private::backplane_words::*;
                    let mut __options = __Options::default();
                    __options.name = ::pode::__private::converted("house");
                    __options
                },
            ),
        );
    #[cfg(feature = "operations")] __declared.operations("inner");
    #[cfg(debug_assertions)]
    const _: fn() = || {
        let _ = ::core::include_bytes!(
            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
            "/src/tests/folder/page.html")
        );
        let _ = ::core::include_bytes!(
            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
            "/src/tests/folder/parts/part.html")
        );
    };
    __declared
        .views(
            #[cfg(debug_assertions)]
            ::pode::__private::Folder::on_disk(
                ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/src/tests/folder"),
            ),
            #[cfg(not(debug_assertions))]
            ::pode::__private::Folder::embedded(
                &[
                    (
                        "page.html",
                        ::core::include_bytes!(
                            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
                            "/src/tests/folder/page.html")
                        ),
                    ),
                    (
                        "parts/part.html",
                        ::core::include_bytes!(
                            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
                            "/src/tests/folder/parts/part.html")
                        ),
                    ),
                ],
            ),
        );
    #[cfg(debug_assertions)]
    const _: fn() = || {
        let _ = ::core::include_bytes!(
            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
            "/src/tests/folder/page.html")
        );
        let _ = ::core::include_bytes!(
            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
            "/src/tests/folder/parts/part.html")
        );
    };
    __declared
        .public(
            "/static",
            #[cfg(debug_assertions)]
            ::pode::__private::Folder::on_disk(
                ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/src/tests/folder"),
            ),
            #[cfg(not(debug_assertions))]
            ::pode::__private::Folder::embedded(
                &[
                    (
                        "page.html",
                        ::core::include_bytes!(
                            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
                            "/src/tests/folder/page.html")
                        ),
                    ),
                    (
                        "parts/part.html",
                        ::core::include_bytes!(
                            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
                            "/src/tests/folder/parts/part.html")
                        ),
                    ),
                ],
            ),
            {
                let mut __options = ::pode::PublicOptions::default();
                __options.cache_age = ::pode::__private::interval(3600000u64);
                __options
            },
        );
    __declared.mount("/api", filter.or(other));
    __declared.state::<Counter>("COUNTER", Counter::new(settings.first));
    #[cfg(feature = "signals")]
    __declared
        .signal_channel(
            ::pode::SignalPath::<Vec<News>>::new("/news"),
            &[],
            {
                use ::pode::__private::signal_words::*;
                let mut __options = __Options::default();
                __options.capacity_messages = ::pode::__private::number(16);
                __options
            },
        );
    __declared
        .signal_channel(
            CHAT,
            &[],
            {
                use ::pode::__private::signal_words::*;
                let mut __options = __Options::default();
                __options.on_lag = Skip;
                __options
            },
        );
    __declared.signal_function_0(CHAT, chat);
    __declared
        .signal_family(
            ::pode::SignalFamily::<(RoomId,), Message>::new("/rooms/:room"),
            &[],
            ::pode::SignalOptions::default(),
        );
    __declared.signal_family(SEAT, &[], ::pode::SignalOptions::default());
    __declared.signal_function_2(SEAT, house::sit);
    __declared
        .signal_channel(
            ::pode::SignalPath::<
                Tick,
                ::pode::Nothing,
                ::pode::level::Name,
            >::new("/prices"),
            &[],
            {
                use ::pode::__private::signal_words::*;
                let mut __options = __Options::default();
                __options.history_messages = ::pode::__private::number(100);
                __options
            },
        );
    __declared.latest_by("/prices");
    __declared
        .signal_family(
            SCORE,
            &[],
            {
                use ::pode::__private::signal_words::*;
                let mut __options = __Options::default();
                __options.history_messages = ::pode::__private::number(9);
                __options
            },
        );
    __declared.latest_by("/games/:game");
    __declared.signal_function_1(SCORE, guess);
    #[cfg(feature = "signals")]
    __declared
        .signal_channel(
            WALL,
            &[],
            {
                use ::pode::__private::signal_words::*;
                let mut __options = __Options::default();
                __options.rebroadcast = OwnGroups;
                __options
            },
        );
    #[cfg(feature = "signals")] __declared.rebroadcast(WALL);
    __declared.on_connect_function_0(CHAT, greet);
    __declared
        .on_disconnect_2(SEAT, async |event, hall, seat| leave(event, hall, seat).await);
    #[cfg(feature = "farewells")] #[cfg(feature = "signals")]
    __declared.on_disconnect_function_0(WALL, farewell);
    __declared
        .route(
            &[::pode::__private::Method::Get],
            "/",
            &[],
            ::pode::__private::view_filter("page"),
        );
    __declared
        .route(
            &[::pode::__private::Method::Get, ::pode::__private::Method::Post],
            "/users/:id/*rest",
            &["inner"],
            ::pode::__private::function_filter_3(
                ::pode::__private::path("rest", ::core::marker::PhantomData::<String>),
                ::pode::__private::path("id", ::core::marker::PhantomData::<u64>),
                ::pode::__private::query(::core::marker::PhantomData::<Page>),
                show::<Users>,
            ),
        );
    __declared
        .route(
            &[::pode::__private::Method::Put],
            "/users/:id",
            &[],
            ::pode::__private::handler_filter_2(
                ::pode::__private::path("id", ::core::marker::PhantomData::<u64>),
                ::pode::__private::json(::core::marker::PhantomData::<User>),
                async |event, id, user| {
                    event.state(COUNTER).put(id, user);
                    Ok::<_, EventError>(())
                },
            ),
        );
    __declared
        .route(
            &[::pode::__private::Method::Get],
            "/people/:id",
            &[],
            ::pode::__private::redirect_filter("/users/:id/all"),
        );
    __declared
        .route(
            &[::pode::__private::Method::Post],
            "/files",
            &[],
            ::pode::__private::function_filter_1(
                ::pode::__private::multipart(::core::marker::PhantomData::<Multipart>),
                upload,
            ),
        )
        .options({
            use ::pode::__private::route_words::*;
            let mut __options = __Options::default();
            *__options.limits.max_upload_bytes.get_or_insert_default() = 1 << 30;
            __options
        });
    __declared
        .timer_function(
            "sample",
            ::pode::__private::interval(500u64),
            {
                use ::pode::__private::timer_words::*;
                let mut __options = __Options::default();
                __options.skip = ::pode::__private::number(1);
                __options.limit = ::pode::__private::number(3);
                __options.on = OneNode;
                __options
            },
            sample,
        );
    #[cfg(feature = "signals")]
    __declared
        .timer(
            "sweep",
            settings.interval,
            ::pode::TimerOptions::default(),
            async |event| event.send(NEWS, &Vec::new()).await,
        );
    __declared
        .schedule_function(
            "nightly",
            &["0 0 * * *", "@weekly"],
            {
                use ::pode::__private::schedule_words::*;
                let mut __options = __Options::default();
                __options.on_start = true;
                __options
            },
            house::nightly,
        );
    __declared
        .upstream_function(
            ::pode::UpstreamName::<Subscribe, Tick>::new(PRICES.as_str()),
            settings.feed,
            {
                use ::pode::__private::upstream_words::*;
                let mut __options = __Options::default();
                __options.heartbeat = ::pode::__private::interval(5000u64);
                __options.roots = roots_of("root.pem");
                __options
            },
            on_tick,
        )
        .on_connect(async |event| event.reply(&Subscribe::all()).await);
    #[cfg(feature = "signals")]
    __declared
        .upstream_function(
            ::pode::UpstreamName::<::pode::Nothing, Headline>::new(HEADLINES.as_str()),
            "wss://feed.example/headlines",
            ::pode::UpstreamOptions::default(),
            house::relay,
        );
    __declared.into_server()
}
