//! What clients are told when a carrier begins to number anew, or messages of others are
//! missing here.

use pode_core::frame::Close;
use pode_core::hub::Snapshot;

use super::behind::Behind;
use super::envelope::Why;
use super::form;
use super::path::Path;
use super::present_clients::PresentClients;
use super::readiness::Source;
use super::shard::Shard;
use crate::push::session::DisconnectReason;

impl Shard {
    /// Tells the clients of a path of which epoch positions are from here on. Numbers are
    /// good in both, so whoever is behind may know early, but of where it is itself.
    pub(super) async fn tell_epoch(&mut self, path: u32, epoch: u64) {
        let to_live = form::epoch(epoch, self.paths[path as usize].live);
        let has_presence = self.paths[path as usize].reload_presence();
        self.visit(path, |shard, place| {
            let client = shard.client(place);
            if client.form().is_told() && client.is_admitted() {
                let frame = match client.behind() {
                    Some(behind) => form::epoch(epoch, behind.number),
                    None => to_live.clone(),
                };
                client.tell(frame);
                // Who is present may have changed, unseen here.
                if has_presence {
                    client.owe_here();
                }
                shard.advance(place);
            }
        })
        .await;
    }

    /// Tells the clients of a path that messages may be missing. Plain ones can't be told,
    /// and who is behind doesn't know what it misses: they come back.
    pub(super) async fn tell_missing(&mut self, path: u32, from: u64, why: Why) {
        let Path { live, policy, .. } = &self.paths[path as usize];
        let (live, has_keys) = (*live, policy.has_keys);
        let gap = form::gap(Some((from.min(live), live)), why);
        self.visit(path, |shard, place| {
            let client = shard.client(place);
            let is_live = client.form().is_told() && client.behind().is_none();
            if !client.is_admitted() {
            } else if !is_live {
                let end = DisconnectReason::ByServer { code: 1013 };
                shard.end(place, &Close::MISSING, end);
            } else if has_keys {
                shard.paths[path as usize].begin_anew(place.slot);
                shard.readiness.again(Source::Client(place));
            } else {
                client.tell(gap.clone());
                shard.advance(place);
            }
        })
        .await;
    }
}

impl Path {
    /// Begins anew with who is present by the log; returns whether clients are told.
    fn reload_presence(&mut self) -> bool {
        let Path { present: Some(present), log: Some(log), policy, .. } = self else {
            return false;
        };
        **present = PresentClients::of(log, policy.presence);
        true
    }

    /// Tells a client that is live to forget all keys, and has it get those that there
    /// are.
    fn begin_anew(&mut self, slot: u32) {
        let (client, live) = (&mut self.clients[slot], self.live);
        let Some(log) = &self.log else { return };
        let path = &client.subscriber.path;
        let (first, until) =
            log.with(|log| (log.newest_values(path, live, usize::MAX), log.position().number));
        client.tell(form::reset(first));
        client.fall_behind(Behind::new(first, true, Some(Snapshot { until, others_from: live })));
    }
}
