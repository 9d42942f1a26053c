//! A headless Chromium for tests: starts it, opens tabs, acts and looks in them.
//!
//! [`Chromium::run`] owns the browser: whatever happens to the test in it, the
//! process is ended and its profile removed. Every wait happens inside the
//! page, by its own events, and has a timeout; a failed wait reports what was
//! awaited and what the page showed instead. Nothing is downloaded and no other
//! host is reached: the installed browser is used. It verifies certificates as
//! usual, except for one that a test may name.

use std::env;
use std::fs;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use chromiumoxide::cdp::browser_protocol::log::{EventEntryAdded, LogEntryLevel};
use chromiumoxide::cdp::browser_protocol::network::{
    self, EventRequestWillBeSent, EventWebSocketCreated,
};
use chromiumoxide::cdp::browser_protocol::page::{
    EventFrameNavigated, SetWebLifecycleStateParams, SetWebLifecycleStateState,
};
use chromiumoxide::cdp::js_protocol::runtime::{
    ConsoleApiCalledType, EventConsoleApiCalled, EventExceptionThrown, RemoteObject,
};
use chromiumoxide::listeners::EventStream;
use chromiumoxide::page::ScreenshotParams;
use chromiumoxide::{Browser, BrowserConfig, Page};
use futures_util::{FutureExt, Stream, StreamExt};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

/// How long a page may take to meet the condition of [`Tab::wait_until`].
///
/// Far longer than it ever takes, so that only a fault reaches it, however busy
/// the machine.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// How long one test may use the browser.
const LONGEST_RUN: Duration = Duration::from_secs(120);

/// How long the browser may take to close before it is killed.
const LONGEST_CLOSE: Duration = Duration::from_secs(10);

/// A browser of its own, with an empty profile.
pub(crate) struct Chromium {
    browser: Browser,
}

impl Chromium {
    /// Starts a browser, hands it to `test`, and ends it however the test ends.
    ///
    /// `trusted` is a public key, as its SHA-256 in base64, whose certificate
    /// the browser accepts whoever signed it.
    ///
    /// # Panics
    ///
    /// If no browser is installed or it doesn't start; as `test` does; or if
    /// `test` takes longer than two minutes.
    pub(crate) async fn run(trusted: Option<&str>, test: impl AsyncFnOnce(&Self)) {
        let profile = Profile::new();
        let config = BrowserConfig::builder()
            .chrome_executable(installed())
            .user_data_dir(&profile.folder)
            .new_headless_mode()
            // Containers and root, where tests often run, have no sandbox.
            .no_sandbox()
            .args(["disable-gpu", "disable-quic", "disable-component-update"])
            // Blocks anything else that it might look up.
            .arg(("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"))
            // Otherwise it would accept every certificate.
            .respect_https_errors()
            .args(trusted.map(|key| ("ignore-certificate-errors-spki-list", key)))
            .build()
            .expect("a path to a browser is all that a configuration needs");
        let (browser, mut handler) = Browser::launch(config).await.expect("the browser starts");
        // Carries commands and events; ends with the browser. A single message
        // that it can't parse, as of a newer browser, is ignored.
        let carrier = tokio::spawn(async move { while handler.next().await.is_some() {} });

        let mut chromium = Self { browser };
        let outcome = AssertUnwindSafe(timeout(LONGEST_RUN, test(&chromium))).catch_unwind().await;

        chromium.end().await;
        carrier.abort();
        drop(profile);
        match outcome {
            Ok(within) => within.expect("the test ends within its time"),
            Err(panic) => resume_unwind(panic),
        }
    }

    /// Opens a tab and loads `url` in it.
    pub(crate) async fn open(&self, url: &str) -> Tab {
        self.try_open(url).await.unwrap_or_else(|error| panic!("cannot load {url}: {error}"))
    }

    /// Does the same; the error is the browser's name for the failure.
    pub(crate) async fn try_open(&self, url: &str) -> Result<Tab, String> {
        // Listeners must be installed before the page loads.
        let page = self.browser.new_page("about:blank").await.expect("a tab opens");
        page.enable_log().await.expect("the log can be heard");
        let tab = Tab {
            logged: page.event_listener().await.expect("log entries can be heard"),
            called: page.event_listener().await.expect("console calls can be heard"),
            thrown: page.event_listener().await.expect("exceptions can be heard"),
            requested: page.event_listener().await.expect("requests can be heard"),
            connected: page.event_listener().await.expect("sockets can be heard"),
            page,
        };
        tab.page.goto(url).await.map_err(|error| error.to_string())?;
        Ok(tab)
    }

    /// Closes the browser, or kills it, and waits until it has ended: it uses
    /// its profile until then.
    async fn end(&mut self) {
        let closed = timeout(LONGEST_CLOSE, async {
            let _ = self.browser.close().await;
            let _ = self.browser.wait().await;
        });
        if closed.await.is_err() {
            // Also waits for the process.
            self.browser.kill().await;
        }
    }
}

/// One tab, and its events since the last call.
pub(crate) struct Tab {
    page: Page,
    logged: EventStream<EventEntryAdded>,
    called: EventStream<EventConsoleApiCalled>,
    thrown: EventStream<EventExceptionThrown>,
    requested: EventStream<EventRequestWillBeSent>,
    connected: EventStream<EventWebSocketCreated>,
}

impl Tab {
    /// Clicks the element, as a mouse would.
    pub(crate) async fn click(&self, selector: &str) {
        // Only the tab in front receives input events.
        self.page.bring_to_front().await.expect("the tab comes to the front");
        let element = self.page.find_element(selector).await;
        let element = element.unwrap_or_else(|error| panic!("no `{selector}`: {error}"));
        element.click().await.unwrap_or_else(|error| panic!("cannot click `{selector}`: {error}"));
    }

    /// Clicks the field and types `text` into it, key by key.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        self.click(selector).await;
        let field = self.page.find_element(selector).await.expect("it was there to be clicked");
        field.type_str(text).await.expect("a clicked field takes keys");
    }

    /// Presses a key where the focus is, by its name, such as `Enter`.
    pub(crate) async fn press(&self, key: &str) {
        self.page.bring_to_front().await.expect("the tab comes to the front");
        // While the page draws, what was found may be gone.
        let mut focused = self.page.find_element(":focus").await;
        for _ in 0..10 {
            if focused.is_ok() {
                break;
            }
            focused = self.page.find_element(":focus").await;
        }
        let focused = focused.expect("something has the focus");
        focused.press_key(key).await.unwrap_or_else(|error| panic!("cannot press {key}: {error}"));
    }

    /// Returns the value of the JavaScript expression, or of the promise it
    /// makes.
    pub(crate) async fn evaluate<T: DeserializeOwned>(&self, expression: &str) -> T {
        let value = self.page.evaluate_expression(expression).await;
        let value = value.unwrap_or_else(|error| panic!("cannot evaluate {expression}: {error}"));
        value.into_value().unwrap_or_else(|error| panic!("unexpected type: {expression}: {error}"))
    }

    /// Waits until the JavaScript `condition` holds, checking again whenever
    /// the document changes. `what` completes "waited for".
    ///
    /// # Panics
    ///
    /// If it doesn't within [`LONGEST_WAIT`], with the page's content at that
    /// time and the path of a picture of it.
    pub(crate) async fn wait_until(&self, what: &str, condition: &str) {
        let milliseconds = LONGEST_WAIT.as_millis();
        let held: bool = self
            .evaluate(&format!(
                "new Promise((resolve) => {{
                    const settle = (held) => {{
                        observer.disconnect();
                        clearTimeout(late);
                        resolve(held);
                    }};
                    const look = () => {{ if ({condition}) settle(true); }};
                    const observer = new MutationObserver(look);
                    const late = setTimeout(settle, {milliseconds}, false);
                    observer.observe(document, {{
                        attributes: true, characterData: true, childList: true, subtree: true,
                    }});
                    look();
                }})"
            ))
            .await;
        if !held {
            let shown: String = self.evaluate("document.body.innerText").await;
            let picture = self.save_picture("unmet").await;
            let picture = picture.display();
            panic!("waited for {what}; the page showed:\n{shown}\n\nas a picture: {picture}");
        }
    }

    /// Loads the page again, as its button would.
    pub(crate) async fn reload(&self) {
        self.page.reload().await.expect("the page is loaded again");
    }

    /// Freezes the tab, as browsers do with those that nobody looks at for long, or thaws it.
    pub(crate) async fn freeze(&self, is_frozen: bool) {
        let state = match is_frozen {
            true => SetWebLifecycleStateState::Frozen,
            false => SetWebLifecycleStateState::Active,
        };
        let done = self.page.execute(SetWebLifecycleStateParams::new(state)).await;
        done.expect("the tab freezes or thaws");
    }

    /// Takes the tab's network away, or gives it back.
    #[allow(deprecated, reason = "older browsers don't know what replaces it")]
    pub(crate) async fn be_offline(&self, is_offline: bool) {
        let network = network::EmulateNetworkConditionsParams::new(is_offline, 0, -1, -1);
        self.page.execute(network).await.expect("the network goes, or comes back");
    }

    /// Goes to another page.
    pub(crate) async fn go_to(&self, url: &str) {
        self.page.goto(url).await.expect("another page is there");
    }

    /// Goes back to the page of before, as by the button *Back*.
    pub(crate) async fn go_back(&self) {
        let mut gone = self.page.event_listener::<EventFrameNavigated>().await.expect("it tells");
        // Afterwards, as the answer of this page would be lost with it.
        self.evaluate::<u32>("setTimeout(() => history.back())").await;
        gone.next().await.expect("the page of before is there");
    }

    /// Closes the tab, as its close button would.
    pub(crate) async fn close(self) {
        self.page.close().await.expect("the tab closes");
    }

    /// Saves a picture of the tab as `NAME.png` among the test's files.
    pub(crate) async fn save_picture(&self, name: &str) -> PathBuf {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).with_extension("png");
        let params = ScreenshotParams::builder().build();
        self.page.save_screenshot(params, &file).await.expect("the picture is saved");
        file
    }

    /// Returns the errors and warnings since the last call: uncaught
    /// exceptions, failed requests, violated policies, the page's own messages.
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        let called = heard(&mut self.called).filter_map(|call| {
            use ConsoleApiCalledType::{Assert, Error, Warning};
            let words = call.args.iter().map(in_words).collect::<Vec<_>>();
            matches!(call.r#type, Assert | Error | Warning).then(|| words.join(" "))
        });
        let logged = heard(&mut self.logged).filter_map(|event| {
            let entry = &event.entry;
            matches!(entry.level, LogEntryLevel::Error | LogEntryLevel::Warning)
                .then(|| format!("{} ({})", entry.text, entry.url.as_deref().unwrap_or("no url")))
        });
        let thrown = heard(&mut self.thrown).map(|event| {
            let details = &event.exception_details;
            details.exception.as_ref().map_or_else(|| details.text.clone(), in_words)
        });
        called.chain(logged).chain(thrown).collect()
    }

    /// Returns the URLs requested or connected to since the last call.
    pub(crate) fn requests(&mut self) -> Vec<String> {
        let requested = heard(&mut self.requested).map(|event| event.request.url.clone());
        let connected = heard(&mut self.connected).map(|event| event.url.clone());
        requested.chain(connected).collect()
    }
}

/// Returns a JavaScript value as the console would show it.
fn in_words(value: &RemoteObject) -> String {
    let description = value.description.clone();
    description.unwrap_or_else(|| value.value.clone().unwrap_or_default().to_string())
}

/// Takes what has arrived on `events` so far, without waiting for more.
fn heard<S: Stream + Unpin>(events: &mut S) -> impl Iterator<Item = S::Item> {
    std::iter::from_fn(|| events.next().now_or_never().flatten())
}

/// A folder for a browser's data, removed with this value.
struct Profile {
    folder: PathBuf,
}

impl Profile {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chromium-{}-{count}", std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).expect("the folder for tests' files can be written");
        Self { folder }
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        // At worst it stays among the test's other files.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Finds the browser to use: `$CHROMIUM`, or the first usual name on the path.
fn installed() -> PathBuf {
    if let Some(path) = env::var_os("CHROMIUM") {
        return path.into();
    }
    let path = env::var_os("PATH").unwrap_or_default();
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .flat_map(|name| env::split_paths(&path).map(move |folder| folder.join(name)))
        .find(|file| file.is_file())
        .expect("no browser: install `chromium`, or set CHROMIUM to the path of one")
}
