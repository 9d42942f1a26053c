//! Ranges: clamps declared options to values that are safe to compute with.
//!
//! [`Declared`](crate::server::declare::Declared) brings every option into its
//! range, so later code needn't check whether adding a duration to an instant
//! overflows. All fields of the options are named here: a new field doesn't
//! compile until its range is decided.

use std::time::Duration;

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

/// Limits durations to the longest one.
fn bound<'a>(durations: impl IntoIterator<Item = &'a mut Duration>) {
    for duration in durations {
        *duration = LONGEST.min(*duration);
    }
}

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

impl DeclaredLimits {
    pub(crate) fn clamped(mut self) -> DeclaredLimits {
        let DeclaredLimits {
            max_connections: _,
            max_connections_per_address: _,
            tls_timeout,
            head_timeout,
            max_head_bytes: _,
            keep_alive_timeout,
            max_body_bytes: _,
            max_upload_bytes: _,
            body_timeout,
            write_timeout,
            min_bytes_per_second: _,
        } = &mut self;
        let named = [tls_timeout, head_timeout, keep_alive_timeout, body_timeout, write_timeout];
        bound(named.into_iter().flatten());
        self
    }
}

impl ServerOptions {
    pub(crate) fn clamped(mut self) -> ServerOptions {
        let ServerOptions {
            send_timeout,
            stop_timeout,
            client_ids: _,
            content_security_policy: _,
            hand_over: _,
            drain,
            limits,
        } = &mut self;
        bound([send_timeout, stop_timeout, drain]);
        *limits = limits.clamped();
        self
    }
}

impl EndpointOptions {
    pub(crate) fn clamped(mut self) -> EndpointOptions {
        let EndpointOptions { certificate: _, client_certificate: _, limits } = &mut self;
        *limits = limits.clamped();
        self
    }
}

impl RouteOptions {
    pub(crate) fn clamped(mut self) -> RouteOptions {
        let RouteOptions { limits } = &mut self;
        *limits = limits.clamped();
        self
    }
}

impl SignalOptions {
    pub(crate) fn clamped(mut self) -> SignalOptions {
        let SignalOptions {
            // The hub limits it.
            capacity_messages: _,
            on_lag: _,
            heartbeat,
            origins: _,
            max_message_bytes: _,
            max_frame_bytes: _,
            idle_timeout,
            messages_per_second: _,
            max_clients: _,
            max_clients_per_address: _,
            rebroadcast: _,
        } = &mut self;
        *heartbeat = in_seconds(*heartbeat);
        *idle_timeout = in_seconds(*idle_timeout);
        bound([heartbeat, idle_timeout]);
        self
    }
}

impl PublicOptions {
    pub(crate) fn clamped(mut self) -> PublicOptions {
        let PublicOptions { cache_age, download: _, index: _ } = &mut self;
        bound([cache_age]);
        self
    }
}

#[cfg(feature = "upstream")]
impl UpstreamOptions {
    pub(crate) fn clamped(mut self) -> UpstreamOptions {
        /// Memory for all of a message is allocated as soon as the other server
        /// announces it, and a failed allocation ends the program.
        const MOST_ANNOUNCED_BYTES: usize = 1 << 30;

        let UpstreamOptions {
            connect_timeout,
            reconnect_delay,
            max_reconnect_delay,
            heartbeat,
            max_message_bytes,
            roots: _,
        } = &mut self;
        *reconnect_delay = SHORTEST.max(*reconnect_delay);
        *max_reconnect_delay = SHORTEST.max(*max_reconnect_delay);
        *max_message_bytes = MOST_ANNOUNCED_BYTES.min(*max_message_bytes);
        bound([connect_timeout, reconnect_delay, max_reconnect_delay, heartbeat]);
        self
    }
}

#[cfg(test)]
mod tests {
    use pode_core::{Address, Method, Nothing, Protocol, SignalPath, UpstreamName};

    use super::*;
    use crate::app::event::{TimerEvent, UpstreamEvent};
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
            content_security_policy: "",
            hand_over: Default::default(),
            drain: length,
            limits,
        };
        let signal = SignalOptions {
            capacity_messages: 1,
            on_lag: Default::default(),
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
            limits,
        };
        let public = PublicOptions { cache_age: length, download: false, index: "" };

        let mut declared = Declared::new("test", server);
        declared.endpoint(None, Protocol::Http, Address::from(0_u16), endpoint);
        declared.public("/", Folder::embedded(&[]), public);
        declared
            .route(&[Method::Get], "/", &[], view_filter("index"))
            .options(RouteOptions { limits });
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
        // All durations are there: 5 of limits at three places, and 11 more.
        assert_eq!(shown.matches(&format!("{LONGEST:?}")).count(), 3 * 5 + 11, "{shown}");
    }
}
