///Builds the server `files`.
fn files() -> ::pode::Server {
    ::core::compile_error! {
        "there is no folder `src/tests/foldr` [PODE070]\n\nhelp: did you mean `src/tests/folder`?"
    }
    ::core::compile_error! {
        "there is no folder `src/tests/missing` [PODE070]\n\nhelp: folders are relative to the crate's `Cargo.toml`; make it, or change the path"
    }
    ::core::compile_error! {
        "`views` is declared twice [PODE072]\n\nhelp: keep all views in one folder; it may have folders of its own"
    }
    ::core::compile_error! {
        "first declared here"
    }
    ::core::compile_error! {
        "public files under `/static` are declared twice [PODE073]\n\nhelp: give one a prefix of its own: `public \"/files\" \"folder\";`"
    }
    ::core::compile_error! {
        "first declared here"
    }
    ::core::compile_error! {
        "there is no view `pag` in `src/tests/folder` [PODE074]\n\nhelp: did you mean `page`?"
    }
    ::core::compile_error! {
        "there is no view `nothing/like/it` in `src/tests/folder` [PODE074]\n\nhelp: make the file `src/tests/folder/nothing/like/it.html`"
    }
    let _: ::core::marker::PhantomData<
        (
            ::pode::keyword::server,
            ::pode::keyword::endpoint,
            ::pode::keyword::http,
            ::pode::keyword::views,
            ::pode::keyword::views,
            ::pode::keyword::public,
            ::pode::keyword::public,
            ::pode::keyword::public,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::view,
            ::pode::keyword::route,
            ::pode::keyword::GET,
            ::pode::keyword::view,
        ),
    >;
    let mut __declared = ::pode::__private::Declared::new(
        "files",
        ::pode::ServerOptions::default(),
    );
    __declared
        .endpoint(
            ::core::option::Option::None,
            ::pode::__private::Protocol::Http,
            0,
            ::pode::EndpointOptions::default(),
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
    __declared
        .views(
            #[cfg(debug_assertions)]
            ::pode::__private::Folder::on_disk(
                ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/src/tests/foldr"),
            ),
            #[cfg(not(debug_assertions))]
            ::pode::__private::Folder::embedded(&[]),
        );
    __declared
        .public(
            "/",
            #[cfg(debug_assertions)]
            ::pode::__private::Folder::on_disk(
                ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), "/src/tests/missing"),
            ),
            #[cfg(not(debug_assertions))]
            ::pode::__private::Folder::embedded(&[]),
            ::pode::PublicOptions::default(),
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
            ::pode::PublicOptions::default(),
        );
    #[cfg(debug_assertions)]
    const _: fn() = || {
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
                ::core::concat!(
                    ::core::env!("CARGO_MANIFEST_DIR"), "/src/tests/folder/parts"
                ),
            ),
            #[cfg(not(debug_assertions))]
            ::pode::__private::Folder::embedded(
                &[
                    (
                        ".well-known/security.txt",
                        ::core::include_bytes!(
                            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
                            "/src/tests/folder/parts/.well-known/security.txt")
                        ),
                    ),
                    (
                        "part.html",
                        ::core::include_bytes!(
                            ::core::concat!(::core::env!("CARGO_MANIFEST_DIR"),
                            "/src/tests/folder/parts/part.html")
                        ),
                    ),
                ],
            ),
            ::pode::PublicOptions::default(),
        );
    __declared
        .route(
            &[::pode::__private::Method::Get],
            "/",
            &[],
            ::pode::__private::view_filter("pag"),
        );
    __declared
        .route(
            &[::pode::__private::Method::Get],
            "/other",
            &[],
            ::pode::__private::view_filter("nothing/like/it"),
        );
    __declared.into_server()
}
