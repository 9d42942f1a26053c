//! Actions on a page and waits for its state, in the words of the tests.

use pode_test_crates::repository;
use tokio::runtime::Runtime;

use super::chromium::{Chromium, Tab};
use super::{PAGE, ROOMS_PAGE, SIGNAL};
use crate::support::example_ports;

/// Runs a test that has a browser, and exclusive use of the examples' ports.
pub(crate) fn in_a_browser(test: impl AsyncFnOnce(&Chromium)) {
    in_a_browser_that_trusts(None, test);
}

/// Does the same in a browser that trusts one certificate, by its key.
pub(crate) fn in_a_browser_that_trusts(key: Option<&str>, test: impl AsyncFnOnce(&Chromium)) {
    // Released last, when the runtime has ended whatever a failed test left
    // running; otherwise one failure would take the next test's ports.
    let _ports = example_ports();
    Runtime::new().unwrap().block_on(Chromium::run(key, test));
}

/// Returns the page of the server that a file of the documentation shows.
pub(super) fn page_in(file: &str) -> String {
    let text = std::fs::read_to_string(repository().join(file)).unwrap();
    let page = text.split_once("const PAGE: &str = r#\"").expect("the page is there").1;
    page.split_once("\"#;").expect("the page ends").0.to_owned()
}

/// Opens the page and waits until it is connected.
pub(super) async fn open(chromium: &Chromium) -> Tab {
    open_at(chromium, PAGE).await
}

/// Opens a page and waits until it is connected.
pub(super) async fn open_at(chromium: &Chromium, url: &str) -> Tab {
    let tab = chromium.open(url).await;
    wait_for_connection(&tab, "live").await;
    tab
}

/// Opens a chat room and enters it under a name.
pub(super) async fn enter(chromium: &Chromium, room: &str, name: &str) -> Tab {
    let tab = chromium.open(&format!("{ROOMS_PAGE}rooms/{room}")).await;
    say_at(&tab, "#name", name).await;
    wait_for_connection(&tab, "live").await;
    tab
}

/// Types a message and presses Enter.
pub(super) async fn say(tab: &Tab, message: &str) {
    say_at(tab, "#message", message).await;
}

/// Types into a field and presses Enter.
pub(super) async fn say_at(tab: &Tab, field: &str, text: &str) {
    tab.type_into(field, text).await;
    tab.press("Enter").await;
}

/// Waits for a state of the connection, as the page names it.
pub(super) async fn wait_for_connection(tab: &Tab, state: &str) {
    let condition = format!("document.querySelector('#connection').dataset.state === '{state}'");
    tab.wait_until(&format!("the connection to be {state}"), &condition).await;
}

/// Waits until the tab lists exactly these messages, as text and in this order.
pub(super) async fn wait_for_messages(tab: &Tab, messages: &[&str]) {
    wait_for_texts(tab, "#messages .message span", messages).await;
}

/// Waits until the tab shows exactly these notes, as text and in this order.
pub(super) async fn wait_for_notes(tab: &Tab, notes: &[&str]) {
    wait_for_texts(tab, "#notes .text", notes).await;
}

/// Waits until the chat room lists exactly these people.
pub(super) async fn wait_for_people(tab: &Tab, people: &[&str]) {
    wait_for_texts(tab, "#people .name", people).await;
}

/// Waits until the selected elements have exactly these texts, in this order.
pub(super) async fn wait_for_texts(tab: &Tab, selector: &str, texts: &[&str]) {
    let expected = serde_json::to_string(texts).unwrap();
    let shown =
        format!("[...document.querySelectorAll('{selector}')].map((one) => one.textContent)");
    let condition = format!("JSON.stringify({shown}) === JSON.stringify({expected})");
    tab.wait_until(&format!("{texts:?} at `{selector}`"), &condition).await;
}

/// Waits until the tab shows this count for each choice, from first to last,
/// and a total that starts with this text.
pub(super) async fn wait_for_votes(tab: &Tab, votes: &str, total: &str) {
    let condition = format!(
        "[...document.querySelectorAll('output')].map((votes) => votes.textContent).join(' ') === '{votes}'
            && document.querySelector('#total').textContent.startsWith('{total}')"
    );
    tab.wait_until(&format!("the votes {votes}"), &condition).await;
}

/// Waits until the tab shows this state and text for the connection to the
/// feed.
pub(super) async fn wait_for_line(tab: &Tab, state: &str, text: &str) {
    let condition = format!(
        "document.querySelector('#upstream').dataset.state === '{state}'
            && document.querySelector('#line').textContent === '{text}'"
    );
    tab.wait_until(&format!("the line: {text}"), &condition).await;
}

/// Waits until the tab shows whether a crop is watched.
pub(super) async fn wait_for_choice(tab: &Tab, crop: &str, is_watched: bool) {
    let condition =
        format!("document.querySelector('[value={crop}]').ariaPressed === '{is_watched}'");
    tab.wait_until(&format!("{crop} to be watched: {is_watched}"), &condition).await;
}

/// Waits until the tab has drawn so many prices of a crop.
pub(super) async fn wait_for_prices(tab: &Tab, crop: &str, count: usize) {
    let condition = format!("{} >= {count}", prices_of(crop));
    tab.wait_until(&format!("{count} prices of {crop}"), &condition).await;
}

/// Returns how many prices of a crop the tab has drawn.
pub(super) async fn prices(tab: &Tab, crop: &str) -> usize {
    tab.evaluate(&prices_of(crop)).await
}

pub(super) fn prices_of(crop: &str) -> String {
    format!(
        "(document.querySelector('[value={crop}] .line').getAttribute('d') ?? '')
            .split(/[ML]/).filter((point) => point !== '').length"
    )
}

/// Checks that the tab sent requests to this server, and to no other.
#[track_caller]
pub(super) fn assert_at_home(tab: &mut Tab) {
    let requests = tab.requests();
    assert!(requests.iter().any(|url| url == SIGNAL), "the signal is not among {requests:?}");
    let abroad = requests.iter().filter(|url| !url.starts_with(PAGE) && *url != SIGNAL);
    assert_eq!(abroad.collect::<Vec<_>>(), [""; 0]);
}
