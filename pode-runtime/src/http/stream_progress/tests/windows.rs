//! Whatever a client does with its windows, it is served or given up in time,
//! and the next client is served.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Act {
    Ask {
        bytes: usize,
    },
    InitialWindow(u32),
    /// 0 is the connection; otherwise the streams are counted from the last.
    Widen {
        stream: u32,
        bytes: u32,
    },
    Reset {
        stream: u32,
    },
    Wait(Duration),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let window = prop::sample::select(&[0, 1, 100, 10_000, 65_535, MAX_WINDOW][..]);
    let bytes = prop::sample::select(&[0, 1, 100, 16_384, 16_385, 100_000][..]);
    let act = prop_oneof![
        4 => bytes.prop_map(|bytes| Act::Ask { bytes }),
        2 => window.clone().prop_map(Act::InitialWindow),
        4 => (0..8_u32, window).prop_map(|(stream, bytes)| Act::Widen { stream, bytes }),
        1 => (1..8_u32).prop_map(|stream| Act::Reset { stream }),
        3 => (1..30_000_u64).prop_map(|wait| Act::Wait(Duration::from_millis(wait))),
    ];
    prop::collection::vec(act, 0..80)
}

async fn perform(client: &mut Client, acts: &[Act]) {
    let stream_at = |next: u32, back: u32| next.saturating_sub(2 * back);
    for act in acts {
        match *act {
            Act::Ask { bytes } => {
                client.ask(bytes).await;
            }
            Act::InitialWindow(bytes) => client.send(&initial_window(bytes)).await,
            Act::Widen { stream: 0, bytes } => client.widen(0, bytes).await,
            Act::Widen { stream, bytes } => {
                client.widen(stream_at(client.next, stream), bytes).await
            }
            Act::Reset { stream } => {
                let stream = stream_at(client.next, stream);
                client.send(&frame(RESET, 0, stream, &8_u32.to_be_bytes())).await;
            }
            Act::Wait(time) => sleep(time).await,
        }
    }
}

/// The time for 100,000 bytes, and some more to be late.
const MOST_FOR_EACH: Duration = Duration::from_secs(200);

async fn check(window: u32, link: Option<u32>, acts: &[Act]) {
    let mut client = Client::with_link(window, link).await;
    perform(&mut client, acts).await;
    // From now on it only asks for little, now and then.
    let Limits { write_timeout, keep_alive_timeout, .. } = limits();
    let most = MOST_FOR_EACH * (client.next / 2) + write_timeout * 4;
    let others_end = async {
        while client.held() > 0 && !client.serving.is_finished() {
            sleep(Duration::from_secs(10)).await;
            let small = client.ask(1).await;
            client.widen(small, 1).await;
        }
    };
    timeout(most, others_end).await.expect("what isn't taken ends");
    // And now nothing.
    let ended = timeout(keep_alive_timeout * 3, &mut client.serving).await;
    assert!(ended.expect("the connection ends").is_ok(), "the server panicked");
    while client.hear().await.is_some() {}
    assert_eq!(client.held(), 0);

    let mut fair = Client::connect(65_535).await;
    let stream = fair.ask(50_000).await;
    assert_eq!(fair.answer(stream).await, Some(50_000));
}

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => config,
        None => ProptestConfig { cases: 200, ..config },
    }
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn windows_of_any_kind_hold_nothing_for_ever(
        window in prop::sample::select(&[0, 1, 65_535, MAX_WINDOW][..]),
        link in prop::option::of(500..100_000_u32),
        acts in acts(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        runtime.unwrap().block_on(check(window, link, &acts));
    }
}
