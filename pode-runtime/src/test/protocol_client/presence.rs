//! Who is present, as a client of `pode.v1` is told.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{ProtocolClient, raw, read};
use crate::test::protocol::Present;

impl<Out, In> ProtocolClient<Out, In> {
    /// Waits until the client knows that just these are present, by what is told of them,
    /// and returns that by their ids. Messages and all else that comes meanwhile are kept
    /// for the test; nothing else here waits for who comes and goes.
    #[track_caller]
    pub fn until_present<T>(
        &mut self,
        expected: &[T],
    ) -> impl Future<Output = BTreeMap<String, T>> + Send
    where
        T: Serialize + DeserializeOwned + Send + Sync,
    {
        let patience = self.patience();
        let expected = expected.iter().map(|info| raw(info, patience).to_string());
        let mut expected: Vec<String> = expected.collect();
        expected.sort_unstable();
        async move {
            let what = format!("these to be present: {}", expected.join(", "));
            loop {
                if let Present::Each(present) = &self.machine.present {
                    let mut infos: Vec<_> = present.values().map(|info| info.get()).collect();
                    infos.sort_unstable();
                    if infos == expected {
                        let present = present.iter();
                        return present
                            .map(|(id, info)| (id.clone(), read(info, patience)))
                            .collect();
                    }
                }
                self.hear(&what, patience).await;
            }
        }
    }

    /// Waits until the client is told that so many are present, of whom it isn't told
    /// each.
    #[track_caller]
    pub fn until_counted(&mut self, expected: usize) -> impl Future<Output = ()> + Send {
        let patience = self.patience();
        async move {
            while !matches!(self.machine.present, Present::Count(count) if count == expected) {
                self.hear(&format!("that {expected} are present"), patience).await;
            }
        }
    }
}
