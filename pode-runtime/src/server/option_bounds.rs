//! Ranges: clamps declared options to values that are safe to compute with.
//!
//! [`Declared`](crate::server::declare::Declared) brings every option into its
//! range, so later code needn't check whether adding a duration to an instant
//! overflows. All fields of the options are named here: a new field doesn't
//! compile until its range is decided.

use std::time::Duration;

#[cfg(feature = "redis")]
use pode_core::backplane::KEPT_MESSAGES;

#[cfg(feature = "redis")]
use crate::backplane::BackplaneOptions;
use crate::base::limits::DeclaredLimits;
use crate::content::public::PublicOptions;
use crate::server::options::{EndpointOptions, ServerOptions};
use crate::signal::options::SignalOptions;
#[cfg(feature = "upstream")]
use crate::upstream::UpstreamOptions;
use crate::web::route::RouteOptions;

/// The longest duration: ten years, longer than any program runs. Three times
/// as much can be added to the time of any system, and its seconds fit a `u32`.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The shortest interval or delay, which is the resolution of tokio's clock.
const SHORTEST: Duration = Duration::from_millis(1);

/// The maximum size of a message from an upstream: memory for all of it is
/// allocated as soon as the other server announces it, and a failed allocation
/// ends the program.
#[cfg(feature = "upstream")]
const MOST_ANNOUNCED_BYTES: usize = 1 << 30;

/// Options, or one of them.
pub(crate) trait Bounded: Sized {
    /// Brings it into its range.
    fn bound(&mut self);

    /// Returns it in its range.
    fn bounded(mut self) -> Self {
        self.bound();
        self
    }
}

impl Bounded for Duration {
    fn bound(&mut self) {
        *self = LONGEST.min(*self);
    }
}

impl Bounded for Option<Duration> {
    fn bound(&mut self) {
        self.iter_mut().for_each(Bounded::bound);
    }
}

/// Bounds some fields of options by their types; a step may come first. All
/// other fields have to be named as well.
macro_rules! bounded {
    (
        $Options:ident { $($bounded:ident),* } but not { $($other:ident),* }
        $(first |$options:ident| $step:block)?
    ) => {
        impl Bounded for $Options {
            fn bound(&mut self) {
                $({
                    let $options = &mut *self;
                    $step
                })?
                let $Options { $($bounded,)* $($other: _,)* } = self;
                $($bounded.bound();)*
            }
        }
    };
}

bounded!(
    DeclaredLimits { tls_timeout, head_timeout, keep_alive_timeout, body_timeout, write_timeout }
    but not {
        max_connections, max_connections_per_address, max_head_bytes, max_body_bytes,
        max_upload_bytes, min_bytes_per_second
    }
);
bounded!(
    ServerOptions { send_timeout, stop_timeout, client_id_lifetime, drain, limits }
    but not { client_ids, content_security_policy, hand_over }
);
bounded!(
    EndpointOptions { limits }
    but not { certificate, client_certificate, hosts, trusted_proxies, proxy_protocol }
);
bounded!(RouteOptions { limits } but not { origins });
bounded!(PublicOptions { cache_age } but not { download, index });
bounded!(
    SignalOptions { heartbeat, idle_timeout, history_age, presence_grace }
    but not {
        // The hub limits it.
        capacity_messages,
        event_streams, on_lag, origins, max_message_bytes, max_frame_bytes, messages_per_second, max_clients,
        max_clients_per_address, rebroadcast, history_messages, history_bytes, replay, presence
    }
    first |options| {
        options.heartbeat = in_seconds(options.heartbeat);
        options.idle_timeout = in_seconds(options.idle_timeout);
        options.history_age = in_seconds(options.history_age);
    }
);
#[cfg(feature = "upstream")]
bounded!(
    UpstreamOptions { connect_timeout, reconnect_delay, max_reconnect_delay, heartbeat }
    but not { max_message_bytes, roots }
    first |options| {
        options.reconnect_delay = SHORTEST.max(options.reconnect_delay);
        options.max_reconnect_delay = SHORTEST.max(options.max_reconnect_delay);
        options.max_message_bytes = MOST_ANNOUNCED_BYTES.min(options.max_message_bytes);
    }
);

#[cfg(feature = "redis")]
bounded!(
    BackplaneOptions { } but not { kept_messages, start, name, roots }
    first |options| {
        let kept = options.kept_messages;
        options.kept_messages = kept.clamp(*KEPT_MESSAGES.start(), *KEPT_MESSAGES.end());
    }
);

/// Rounds up to whole seconds.
fn in_seconds(duration: Duration) -> Duration {
    let fraction = u64::from(duration.subsec_nanos() > 0);
    Duration::from_secs(duration.as_secs().saturating_add(fraction))
}

/// Returns the interval of a timer; zero, which is refused at the start, stays
/// zero.
pub(crate) fn interval(declared: Duration) -> Duration {
    if declared.is_zero() { declared } else { declared.clamp(SHORTEST, LONGEST) }
}

#[cfg(test)]
mod tests {
    use pode_core::{Address, Method, Nothing, Protocol, SignalPath, UpstreamName};

    use super::*;
    use crate::app::event::{TimerEvent, UpstreamEvent};
    use crate::backplane::Backplane;
    use crate::content::folder::Folder;
    use crate::jobs::timer::TimerOptions;
    use crate::server::declare::Declared;
    use crate::web::view::view_filter;

    /// Declares one item of each kind with durations of this length. All fields
    /// are named, so that a new one gets its value here, too.
    fn declare(length: Duration) -> Declared {
        let limits = DeclaredLimits {
            max_connections: None,
            max_connections_per_address: None,
            tls_timeout: Some(length),
            head_timeout: Some(length),
            max_head_bytes: None,
            keep_alive_timeout: Some(length),
            max_body_bytes: None,
            max_upload_bytes: None,
            body_timeout: Some(length),
            write_timeout: Some(length),
            min_bytes_per_second: None,
        };
        let server = ServerOptions {
            send_timeout: length,
            stop_timeout: length,
            client_ids: Default::default(),
            client_id_lifetime: length,
            content_security_policy: "",
            hand_over: Default::default(),
            drain: length,
            limits,
        };
        let signal = SignalOptions {
            capacity_messages: 1,
            event_streams: Default::default(),
            on_lag: Default::default(),
            history_messages: 0,
            history_age: length,
            history_bytes: 0,
            replay: Default::default(),
            presence: 0,
            presence_grace: length,
            heartbeat: length,
            origins: Default::default(),
            max_message_bytes: 0,
            max_frame_bytes: 0,
            idle_timeout: length,
            messages_per_second: 0,
            max_clients: 0,
            max_clients_per_address: 0,
            rebroadcast: Default::default(),
        };
        let upstream = UpstreamOptions {
            connect_timeout: length,
            reconnect_delay: length,
            max_reconnect_delay: length,
            heartbeat: length,
            max_message_bytes: usize::MAX,
            roots: Default::default(),
        };
        let endpoint = EndpointOptions {
            certificate: Default::default(),
            client_certificate: Default::default(),
            hosts: Default::default(),
            trusted_proxies: Default::default(),
            proxy_protocol: false,
            limits,
        };
        let public = PublicOptions { cache_age: length, download: false, index: "" };

        let mut declared = Declared::new("test", server);
        declared.endpoint(None, Protocol::Http, Address::from(0_u16), endpoint);
        declared.public("/", Folder::embedded(&[]), public);
        declared
            .route(&[Method::Get], "/", &[], view_filter("index"))
            .options(RouteOptions { limits, origins: Default::default() });
        declared.signal_channel(SignalPath::<String>::new("/"), &[], signal);
        declared.timer("test", length, TimerOptions::default(), async |_: TimerEvent| ());
        let handler = async |_: UpstreamEvent, _: String| ();
        declared.upstream(UpstreamName::<Nothing, String>::new("TEST"), "", upstream, handler);
        declared
    }

    /// Returns the `Debug` form of all that was declared.
    fn shown(declared: &Declared) -> String {
        let routes = declared.routes.iter().map(|route| format!("{:?}", route.options));
        let upstreams =
            declared.upstreams.iter().map(|upstream| format!("{:?}", upstream.options()));
        routes.chain(upstreams).fold(format!("{declared:?}"), |all, options| all + &options)
    }

    #[test]
    fn nothing_that_is_done_again_and_again_is_done_without_a_pause() {
        let declared = declare(Duration::from_nanos(1));
        assert_eq!(declared.timers[0].interval, SHORTEST);
        let UpstreamOptions { reconnect_delay, max_reconnect_delay, .. } =
            declared.upstreams[0].options();
        assert_eq!([*reconnect_delay, *max_reconnect_delay], [SHORTEST; 2]);
        let SignalOptions { heartbeat, idle_timeout, .. } = declared.signals[0].options;
        assert_eq!([heartbeat, idle_timeout], [Duration::from_secs(1); 2]);
    }

    #[test]
    fn a_backplane_keeps_no_less_and_no_more_than_it_can() {
        for (kept_messages, kept) in [(0, 1_000), (5_000, 5_000), (usize::MAX, 10_000_000)] {
            let mut declared = Declared::new("test", ServerOptions::default());
            let options = BackplaneOptions { kept_messages, ..BackplaneOptions::default() };
            declared.backplane(Backplane::redis("redis://localhost", options));
            assert_eq!(declared.backplane.unwrap().options.kept_messages, kept);
        }
    }

    #[test]
    fn what_is_none_stays_none() {
        let declared = declare(Duration::ZERO);
        assert!(declared.timers[0].interval.is_zero(), "which the start refuses");
        assert!(declared.upstreams[0].options().heartbeat.is_zero());
        let SignalOptions { heartbeat, idle_timeout, .. } = declared.signals[0].options;
        assert_eq!([heartbeat, idle_timeout], [Duration::ZERO; 2]);
    }

    #[test]
    fn no_duration_is_longer_than_can_be_reckoned_with() {
        let declared = declare(Duration::MAX);
        let shown = shown(&declared);
        assert!(!shown.contains(&format!("{:?}", Duration::MAX)), "{shown}");
        // All durations are there: 5 of limits at three places, and 14 more.
        assert_eq!(shown.matches(&format!("{LONGEST:?}")).count(), 3 * 5 + 14, "{shown}");
    }
}
