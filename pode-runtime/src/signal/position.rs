//! Positions of signals by their paths.

use std::sync::Arc;

use pode_core::route_table::Found;
use pode_core::{Method, RoutePath, RouteTable};

use super::Signal;
use crate::content::position::Positions;
use crate::push::publisher::Signals;

/// Returns what finds the positions of these signals.
///
/// # Panics
///
/// When the path of a signal is invalid; the macro has parsed it before.
pub(crate) fn positions(declared: &[Signal], signals: Signals) -> Positions {
    let mut table = RouteTable::default();
    let mut known = Vec::new();
    for (index, signal) in declared.iter().enumerate() {
        let path: RoutePath =
            signal.path.parse().expect("the macro parsed this path by the same rules");
        let names: Vec<Arc<str>> = path.parameters().map(Arc::from).collect();
        table.insert(Method::Get, &path, index);
        known.push((signal.path, signal.read, names));
    }
    Positions::new(move |path| {
        let Found::Route { index, parameters } = table.find(Some(Method::Get), path) else {
            return Err(format!("there is no signal at `{path}`"));
        };
        let (signal, read, names) = &known[index];
        // As a client's path is written, whatever the template's looks like.
        let own = read.map(|read| read(signal, names, &parameters)).transpose();
        let own = own.map_err(|reason| format!("there is no signal at `{path}`: {reason}"))?;
        let own = own.map(|(_, own)| own);
        let channel = signals.channel(signal, own.as_deref()).map_err(|error| error.to_string())?;
        channel.position().ok_or_else(|| {
            format!(
                "the signal at `{signal}` keeps no messages, so it has no position: declare it \
                 with `{{ history_messages: 100 }}`"
            )
        })
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pode_core::{SignalFamily, SignalPath};

    use super::*;
    use crate::server::declare::Declared;
    use crate::server::options::ServerOptions;
    use crate::signal::options::SignalOptions;

    const CHAT: SignalPath<u32> = SignalPath::new("/chat");
    const BRIEF: SignalPath<u32> = SignalPath::new("/brief");
    const ROOM: SignalFamily<(u32,), u32> = SignalFamily::new("/rooms/:room");

    #[tokio::test]
    async fn a_position_is_that_of_the_signal_at_the_path() {
        let kept = SignalOptions { history_messages: 10, ..SignalOptions::default() };
        let mut declared = Declared::new("test", ServerOptions::default());
        declared.signal_channel(CHAT, &[], kept.clone());
        declared.signal_channel(BRIEF, &[], SignalOptions::default());
        declared.signal_family(ROOM, &[], kept);
        let at = async |hands_over, path: &str| {
            let (hub, _receivers) = Signal::channels(&declared.signals, hands_over);
            let signals = Signals::new(hub, Duration::from_secs(5));
            let found = positions(&declared.signals, signals.clone());
            signals.send(CHAT, &1).await.unwrap();
            for _ in 0..2 {
                signals.send(ROOM.at(&7), &1).await.unwrap();
            }
            found.of(path).map(|position| position.number)
        };
        for (path, expected) in
            [("/chat", 1), ("/chat/", 1), ("/%63hat", 1), ("/rooms/7", 2), ("/rooms/007", 2)]
        {
            assert_eq!(at(false, path).await, Ok(expected), "{path}");
        }
        for (path, reason) in [
            ("/chatt", "there is no signal at `/chatt`"),
            ("chat", "there is no signal at `chat`"),
            ("/chat?a", "there is no signal at `/chat?a`"),
            ("/brief", "the signal at `/brief` keeps no messages"),
            ("/rooms/kitchen", "there is no signal at `/rooms/kitchen`: path parameter `room`"),
        ] {
            let found = at(false, path).await.unwrap_err();
            assert!(found.contains(reason), "{path}: {found}");
        }
        // Then all messages have numbers.
        assert_eq!(at(true, "/brief").await, Ok(0));
    }
}
