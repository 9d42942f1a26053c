//! Whether a server may get clients now: each part of it reports why not, and takes
//! back only that.

use std::sync::atomic::{AtomicU8, Ordering};

/// Why a server may get no clients now. Each reason is one part's to report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unready {
    /// A part of it has failed, which ends it.
    Failed,
    /// Another process accepts its connections.
    HandedOver,
    Stopping,
    /// What it sends doesn't come back from the backplane.
    #[cfg(feature = "redis")]
    CutOff,
}

impl Unready {
    /// In the order in which they are told, if there are several.
    const ALL: &[Unready] = &[
        Unready::Failed,
        Unready::HandedOver,
        Unready::Stopping,
        #[cfg(feature = "redis")]
        Unready::CutOff,
    ];

    /// Returns what a load balancer is told.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Unready::Failed => "a part of the server has failed",
            Unready::HandedOver => "another process has taken over",
            Unready::Stopping => "stopping",
            #[cfg(feature = "redis")]
            Unready::CutOff => "the backplane can't be reached",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// What keeps a server from getting clients; nothing at first.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    /// A bit for each reason. It is all that is told, so no order with other memory
    /// matters.
    reasons: AtomicU8,
}

impl Readiness {
    pub(crate) fn report(&self, reason: Unready) {
        self.reasons.fetch_or(reason.bit(), Ordering::Relaxed);
    }

    pub(crate) fn take_back(&self, reason: Unready) {
        self.reasons.fetch_and(!reason.bit(), Ordering::Relaxed);
    }

    pub(crate) fn has(&self, reason: Unready) -> bool {
        self.reasons.load(Ordering::Relaxed) & reason.bit() != 0
    }

    /// Returns the most important reason.
    pub(crate) fn unready(&self) -> Option<Unready> {
        Unready::ALL.iter().copied().find(|reason| self.has(*reason))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_takes_back_its_own_reason() {
        let readiness = Readiness::default();
        assert_eq!(readiness.unready(), None);
        for reason in Unready::ALL.iter().copied().rev() {
            readiness.report(reason);
            readiness.report(reason);
            assert_eq!(readiness.unready(), Some(reason));
        }
        readiness.take_back(Unready::HandedOver);
        assert_eq!(readiness.unready(), Some(Unready::Failed));
        readiness.take_back(Unready::Failed);
        assert_eq!(readiness.unready(), Some(Unready::Stopping));
        Unready::ALL.iter().for_each(|reason| readiness.take_back(*reason));
        assert_eq!(readiness.unready(), None);
    }
}
