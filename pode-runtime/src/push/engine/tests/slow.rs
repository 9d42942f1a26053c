//! Slow consumers affect no other client, and get the close code.

use super::*;
use crate::push::engine::OnLag;

#[tokio::test(start_paused = true)]
async fn a_client_that_never_reads_is_cut_off_and_others_miss_nothing() {
    let server = Server::start(64, QueueLimits::default());
    let mut slow = server.join_open(50).await;
    let mut quick = server.join_open(1 << 20).await;
    server.send_numbers(3_000).await;
    for number in 0..3_000 {
        assert_eq!(quick.hear_text().await, number.to_string());
    }
    // The frames that its socket had taken, the partly written one, and then
    // the close frame.
    let (heard, code) = slow.hear_numbers_until_close().await;
    assert_eq!(code, 1013);
    assert!(heard < 20, "{heard}");
    slow.say(CLOSE, b"\x03\xf5").await;
    assert_eq!(slow.receive().await, None);

    server.send("on").await;
    assert_eq!(quick.hear_text().await, "on");
    drop(quick);
    server.stop().await;
}

/// The same over real sockets, for which the system buffers some of the data.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_client_that_never_reads_is_cut_off_over_any_link() {
    let text = "x".repeat(60_000);
    for link in Link::all() {
        let server = Server::start(4, QueueLimits::default());
        let mut slow = server.join_by(link).await;
        let mut quick = server.join_by(link).await;
        for _ in 0..200 {
            server.send(&text).await;
            assert!(quick.hear_text().await == text);
        }
        let mut heard = 0;
        let code = loop {
            match slow.receive().await {
                Some((TEXT, payload)) => assert!(payload == text.as_bytes()),
                Some((CLOSE, payload)) => break payload[..2].to_vec(),
                other => panic!("{link:?}: {other:?}"),
            }
            heard += 1;
        };
        assert_eq!(code, 1013_u16.to_be_bytes());
        assert!(heard < 180, "{link:?}: {heard}");
        slow.say(CLOSE, b"\x03\xf5").await;
        assert_eq!(slow.receive().await, None);
        drop(quick);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_slow_client_may_skip_and_goes_on_in_order() {
    for on_lag in [OnLag::Skip, OnLag::Latest] {
        let server = Server::start(64, QueueLimits { on_lag, ..limits(8, 10_000) });
        let (mut quick, mut slow) = (server.join(100_000).await, server.join_open(1).await);
        server.send_numbers(100).await;
        // When the quick client has all messages, all were offered to the slow
        // one, too.
        for number in 0..100 {
            assert_eq!(quick.hear_text().await, number.to_string());
        }
        drop(quick);
        let receive = async {
            let mut heard: Vec<usize> = Vec::new();
            while let Some((TEXT, payload)) = slow.receive().await {
                heard.push(String::from_utf8(payload).unwrap().parse().unwrap());
            }
            // That was the server's close frame.
            slow.say(CLOSE, b"\x03\xe9").await;
            heard
        };
        let (heard, ()) = tokio::join!(receive, server.stop());
        assert!(heard.is_sorted() && heard.len() < 20, "{on_lag:?}: {heard:?}");
        assert_eq!(heard[0], 0);
        // One policy keeps the first waiting messages, the other the last.
        assert_eq!(heard.contains(&99), on_lag == OnLag::Latest, "{heard:?}");
        assert_eq!(heard.contains(&5), on_lag == OnLag::Skip, "{heard:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_never_takes_its_close_frame_is_dropped() {
    let server = Server::start(64, limits(1, 1000));
    let mut slow = server.join_open(5).await;
    server.send_numbers(100).await;
    sleep(Duration::from_secs(6)).await;
    let mut heard = Vec::new();
    slow.0.read_to_end(&mut heard).await.unwrap();
    assert_eq!(heard, b"\x81\x010\x81\x01");
    server.stop().await;
}

#[tokio::test]
async fn the_queue_is_bounded_in_bytes() {
    let server = Server::start(64, limits(1000, 10_000));
    let mut slow = server.join_open(1).await;
    let text = "x".repeat(3_000);
    // One message is partly written, three more fit.
    for _ in 0..5 {
        server.send(&text).await;
    }
    assert_eq!(slow.hear_text().await, text);
    assert_eq!(slow.receive().await.unwrap().1[..2], 1013_u16.to_be_bytes());
}

#[tokio::test]
async fn a_single_message_may_be_larger_than_the_queue() {
    let server = Server::start(64, limits(1000, 10));
    let mut peer = server.join(100).await;
    let text = "x".repeat(200_000);
    server.send(&text).await;
    assert_eq!(peer.hear_text().await, text);
    server.send(&text).await;
    assert_eq!(peer.hear_text().await, text);
}
