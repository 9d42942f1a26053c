//! What a client of `pode.v1` sends while processes hand over, or die.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::program::{Folder, Shop};
use crate::support::V1Client;

const DRAIN: Duration = Duration::from_millis(300);

/// Says numbers, hears of all of them, and is cut off now and then.
struct Sender {
    client: V1Client,
    said: u64,
    replies: Vec<u64>,
    seed: u32,
}

impl Sender {
    async fn new(shop: &Shop) -> Sender {
        let client = V1Client::connect(shop.address, "/desk").await;
        Sender { client, said: 0, replies: Vec::new(), seed: 7 }
    }

    fn somewhere(&mut self, below: u32) -> u32 {
        self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.seed >> 8) % below
    }

    async fn say_some(&mut self) {
        for _ in 0..self.somewhere(8) {
            self.said += 1;
            self.client.say((self.said - 1).into()).await;
        }
        for _ in 0..self.somewhere(8) {
            if self.client.kept() == 0 {
                break;
            }
            let object = self.client.hear().await;
            self.replies.extend(object["data"].as_u64());
        }
        if self.somewhere(4) == 0 {
            let is_told = self.somewhere(2) == 0;
            self.client.cut(is_told);
            self.client.come_back().await;
        }
    }

    async fn hear_all(&mut self) {
        let heard = self.client.hear_all().await;
        self.replies.extend(heard.iter().filter_map(|object| object["data"].as_u64()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_hand_overs_handle_each_message_once() {
    let folder = Folder::new("numbers");
    let mut shop = Shop::start(&folder, DRAIN).await;
    let mut sender = Sender::new(&shop).await;
    let done = Arc::new(AtomicBool::new(false));
    let all_the_while = Arc::clone(&done);
    let saying = tokio::spawn(async move {
        while !all_the_while.load(Ordering::SeqCst) {
            sender.say_some().await;
            assert_ne!(sender.client.hello.get("known"), Some(&json!(false)));
        }
        sender.hear_all().await;
        sender
    });
    for _ in 0..20 {
        let newer = Shop::start(&folder, DRAIN).await;
        let (code, said) = std::mem::replace(&mut shop, newer).end().await;
        assert_eq!(code, Some(0), "{said}");
    }
    done.store(true, Ordering::SeqCst);
    let sender = saying.await.unwrap();
    let expected: Vec<_> = (0..sender.said).map(|number| (number, false)).collect();
    assert_eq!(folder.notes(), expected);
    assert_eq!(sender.replies, (0..sender.said).collect::<Vec<_>>());
    assert!(sender.said > 200, "{}", sender.said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_being_killed_none_is_missing_and_repeats_are_told() {
    let folder = Folder::new("crash");
    let mut shop = Shop::start(&folder, DRAIN).await;
    let mut sender = Sender::new(&shop).await;
    for _ in 0..5 {
        for _ in 0..20 {
            sender.say_some().await;
        }
        sender.said += 1;
        sender.client.say((sender.said - 1).into()).await;
        shop.process.kill().await;
        shop = Shop::start(&folder, DRAIN).await;
        sender.client.come_back_to(shop.address).await;
        assert_eq!(sender.client.hello["known"], false);
    }
    sender.hear_all().await;
    let mut next = 0;
    for (number, may_be_repeated) in folder.notes() {
        if number == next {
            next += 1;
        } else {
            assert!(number < next && may_be_repeated, "{number} comes instead of {next}");
        }
    }
    assert_eq!(next, sender.said, "none is missing");
}
