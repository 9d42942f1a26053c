//! Telling clients who is present: each change in its place among the messages, and once a
//! second how many they are.

use pode_core::hub::PresenceChange;
use tokio::task::yield_now;

use super::envelope::Audience;
use super::form::Told;
use super::present_clients::News;
use super::readiness::SlotId;
use super::shard::{Shard, Turns};

impl Shard {
    /// Changes who is present at a path, and tells its clients.
    pub(super) async fn change_presence(&mut self, path: u32, change: &PresenceChange) {
        let number = self.paths[path as usize].live;
        let Some(present) = &mut self.paths[path as usize].present else { return };
        let news = present.apply(change, number);
        self.tell_presence(path, news).await;
    }

    /// Tells clients how many are present, where that has changed.
    pub(super) async fn recount(&mut self) {
        for path in 0..self.paths.len() {
            if let Some(present) = &mut self.paths[path].present {
                let news = present.recounted();
                self.tell_presence(path as u32, news).await;
            }
        }
    }

    async fn tell_presence(&mut self, path: u32, news: Vec<News>) {
        let mut turns = Turns::default();
        for (own, frame) in news {
            let told = Told::new(frame);
            for slot in self.paths[path as usize].select(&Audience::everyone(own)) {
                let client = self.client(SlotId { path, slot });
                if !client.tell_presence(&told) {
                    self.advance(SlotId { path, slot });
                }
                if turns.is_over() {
                    yield_now().await;
                }
            }
        }
    }
}
