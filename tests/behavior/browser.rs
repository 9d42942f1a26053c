//! The examples with a page as users see them: in a real browser, on the real
//! server.
//!
//! Other tests cover what a socket client could check. These check the page:
//! that it shows what arrives, as text only, and reconnects.

use chat_rooms::chat_rooms;
use chromium::Chromium;
use pode::prelude::*;
use secure::secure;
use steps::*;
use timers_and_schedules::timers_and_schedules;
use tokio::runtime::Runtime;
use web_signal::web_signal;

use crate::support::{Client, Process, installed, start, this_test};

#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/chat_rooms.rs"]
mod chat_rooms;
pub(crate) mod chromium;
mod client_module;
#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/live_prices.rs"]
mod live_prices;
#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/many_nodes.rs"]
mod many_nodes;
mod presence;
mod readme;
#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/relay.rs"]
mod relay;
#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/rest.rs"]
mod rest;
#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/secure.rs"]
mod secure;
pub(crate) mod steps;
#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/timers_and_schedules.rs"]
mod timers_and_schedules;
#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
#[path = "../../examples/web_signal.rs"]
mod web_signal;

const PAGE: &str = "http://127.0.0.1:8090/";
const SIGNAL: &str = "ws://127.0.0.1:8091/";
const TIMERS_PAGE: &str = "http://127.0.0.1:8093/";
const SHELF_PAGE: &str = "http://127.0.0.1:8094/";
const ROOMS_PAGE: &str = "http://127.0.0.1:8096/";
const RELAY_PAGE: &str = "http://127.0.0.1:8097/";
const MARKET_PAGE: &str = "http://127.0.0.1:8100/";

const NODE_PAGES: [&str; 2] = ["http://127.0.0.1:8101/", "http://127.0.0.1:8102/"];
/// Set where [`many_nodes_program`] is one.
const IS_MANY_NODES: &str = "PODE_TEST_MANY_NODES";

const SECURE_PAGE: &str = "https://127.0.0.1:8443/";
const SECURE_SIGNAL: &str = "wss://127.0.0.1:8443/count";
/// The key of the secure example's certificate, by which a browser trusts it.
const SECURE_KEY: &str = include_str!("../../examples/secure/certificates/public-key.sha256");

#[test]
fn what_one_tab_says_every_tab_shows() {
    in_a_browser(async |chromium| {
        let server = web_signal().start().await.unwrap();
        let (mut speaker, mut listener) = (open(chromium).await, open(chromium).await);

        say(&speaker, "hello, everyone").await;
        for tab in [&speaker, &listener] {
            wait_for_messages(tab, &["hello, everyone"]).await;
        }
        let field = "[document.activeElement.id, document.activeElement.value]";
        assert_eq!(speaker.evaluate::<[String; 2]>(field).await, ["message", ""]);

        // The button does the same as Enter, and nothing is sent without words.
        listener.type_into("#message", "   ").await;
        listener.click("#form button:not([type])").await;
        listener.type_into("#message", "hello, you").await;
        listener.click("#form button:not([type])").await;
        for tab in [&speaker, &listener] {
            wait_for_messages(tab, &["hello, everyone", "   hello, you"]).await;
        }
        speaker.save_picture("web_signal").await;

        for tab in [&mut speaker, &mut listener] {
            assert_at_home(tab);
            assert_eq!(tab.complaints(), [""; 0]);
        }
        server.stop().await;
    });
}

#[test]
fn markup_in_a_message_stays_text() {
    in_a_browser(async |chromium| {
        let server = web_signal().start().await.unwrap();
        let mut tab = open(chromium).await;
        let title: String = tab.evaluate("document.title").await;

        let markup = r#"<img src=x onerror="document.title='pwned'">"#;
        say(&tab, markup).await;
        // Sent last, so when it shows, the page would have made an image.
        say(&tab, "done").await;
        wait_for_messages(&tab, &[markup, "done"]).await;

        assert_eq!(tab.evaluate::<u32>("document.querySelectorAll('#log img').length").await, 0);
        assert_eq!(tab.evaluate::<String>("document.title").await, title);
        assert_at_home(&mut tab);
        // They would contain the image's own failed request.
        assert_eq!(tab.complaints(), [""; 0]);
        server.stop().await;
    });
}

#[test]
fn tabs_come_back_when_the_server_does() {
    in_a_browser(async |chromium| {
        let server = web_signal().start().await.unwrap();
        let mut tabs = [open(chromium).await, open(chromium).await];
        say(&tabs[0], "before").await;
        for tab in &mut tabs {
            wait_for_messages(tab, &["before"]).await;
            assert_eq!(tab.complaints(), [""; 0]);
        }

        server.stop().await;
        for tab in &tabs {
            wait_for_connection(tab, "waiting").await;
        }

        let server = web_signal().start().await.unwrap();
        for tab in &tabs {
            wait_for_connection(tab, "live").await;
            let lost = "document.querySelector('#messages .note') !== null";
            tab.wait_until("a note that the connection was lost", lost).await;
        }
        say(&tabs[1], "after").await;
        for tab in &mut tabs {
            wait_for_messages(tab, &["before", "after"]).await;
            assert_at_home(tab);
            // Only its connection attempts while there was no server.
            let refused = format!("WebSocket connection to '{SIGNAL}' failed");
            let other = tab.complaints().into_iter().filter(|text| !text.starts_with(&refused));
            assert_eq!(other.collect::<Vec<_>>(), [""; 0]);
        }
        server.stop().await;
    });
}

#[test]
fn a_page_plots_what_a_timer_sends_and_lists_what_a_schedule_says() {
    in_a_browser(async |chromium| {
        let server = timers_and_schedules().start().await.unwrap();
        let mut tab = open_at(chromium, TIMERS_PAGE).await;
        // One point for each sample, and one tick behind the other.
        let points = "document.querySelector('#line').getAttribute('d')?.split('L').length >= 8";
        tab.wait_until("eight samples in the plot", points).await;
        let ticking = "/^tick [0-9,]+$/.test(document.querySelector('#count').textContent)";
        tab.wait_until("the count of ticks", ticking).await;

        server.invoke_schedule("chime").await.unwrap();
        let said = "document.querySelector('#chimes li')?.textContent.endsWith(' is full.')";
        tab.wait_until("the word of the schedule", said).await;
        let due = "/due in [0-9]+ s/.test(document.querySelector('#due').textContent)";
        tab.wait_until("when the next is due", due).await;
        tab.save_picture("timers_and_schedules").await;

        let requests = tab.requests();
        for signal in ["ws://127.0.0.1:8093/samples", "ws://127.0.0.1:8093/chimes"] {
            assert!(requests.iter().any(|url| url == signal), "{signal} is not among {requests:?}");
        }
        let home =
            |url: &&String| url.starts_with(TIMERS_PAGE) || url.starts_with("ws://127.0.0.1:8093/");
        assert_eq!(requests.iter().filter(|url| !home(url)).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(tab.complaints(), [""; 0]);
        server.stop().await;
    });
}

#[test]
fn windows_of_the_shelf_stay_in_step() {
    in_a_browser(async |chromium| {
        let server = rest::rest().start().await.unwrap();
        let (mut writer, mut reader) =
            (open_at(chromium, SHELF_PAGE).await, open_at(chromium, SHELF_PAGE).await);

        writer.type_into("#text", "Water the <b>peas</b>").await;
        writer.click("#add button").await;
        for tab in [&writer, &reader] {
            wait_for_notes(tab, &["Water the <b>peas</b>"]).await;
        }
        reader.click(".change").await;
        // After the text, where the button left the focus.
        reader.press("!").await;
        reader.click(".edit .main").await;
        wait_for_notes(&writer, &["Water the <b>peas</b>!"]).await;

        // As if chosen in the dialog, which a test can't operate.
        let choose = "(() => {
            const files = new DataTransfer();
            files.items.add(new File(['<script>alert(1)</script>'], 'peas & beans.html', { type: 'text/html' }));
            const field = document.querySelector('[type=file]');
            field.files = files.files;
            return field.dispatchEvent(new Event('change'));
        })()";
        assert!(writer.evaluate::<bool>(choose).await);
        let listed = "document.querySelector('.files a')?.textContent === 'peas & beans.html'";
        for tab in [&writer, &reader] {
            tab.wait_until("the file", listed).await;
        }
        let file = "fetch(document.querySelector('.files a').href).then(async (file) =>
            [file.headers.get('content-type'), file.headers.get('content-security-policy'), await file.text()])";
        assert_eq!(
            reader.evaluate::<[String; 3]>(file).await,
            ["text/html", "sandbox; default-src 'none'", "<script>alert(1)</script>"]
        );
        writer.save_picture("rest").await;

        // Deleted while another window still writes: the new text stays there.
        reader.click(".change").await;
        writer.click(".delete").await;
        wait_for_notes(&writer, &[]).await;
        reader.wait_until("an empty shelf", "!document.querySelector('#nothing').hidden").await;
        reader.click(".edit .cancel").await;
        wait_for_notes(&reader, &[]).await;
        assert_eq!([writer.complaints(), reader.complaints()], [[""; 0]; 2]);

        let missing = chromium.open(&format!("{SHELF_PAGE}notes/1")).await;
        missing.wait_until("the page of a 404", "document.title === 'Not on the shelf'").await;
        let said: String = missing.evaluate("document.querySelector('p').textContent").await;
        assert_eq!(said, "404: there is no such note");
        server.stop().await;
    });
}

#[test]
fn each_chat_room_is_one_of_its_own() {
    in_a_browser(async |chromium| {
        let server = chat_rooms().start().await.unwrap();
        let mut ada = enter(chromium, "lobby", "Ada").await;
        wait_for_people(&ada, &["Ada (you)"]).await;
        let mut bob = enter(chromium, "lobby", "Bob").await;
        // A name is reserved in its room only.
        let mut eve = enter(chromium, "kitchen", "Ada").await;
        wait_for_people(&ada, &["Ada (you)", "Bob"]).await;
        wait_for_people(&bob, &["Bob (you)", "Ada"]).await;
        wait_for_people(&eve, &["Ada (you)"]).await;

        let typing = "document.querySelector('#typing').textContent === 'Ada is typing…'";
        tokio::join!(
            bob.wait_until("who is typing", typing),
            ada.type_into("#message", "hello, lobby")
        );
        assert_eq!(
            ada.evaluate::<String>("document.querySelector('#typing').textContent").await,
            ""
        );
        ada.press("Enter").await;
        let markup = r#"<img src=x onerror="document.title='pwned'">"#;
        say(&bob, markup).await;
        say(&bob, "done").await;
        let said = ["hello, lobby", markup, "done"];
        for tab in [&ada, &bob] {
            wait_for_messages(tab, &said).await;
            let images = "document.querySelectorAll('#messages img').length";
            assert_eq!(tab.evaluate::<u32>(images).await, 0);
            assert_eq!(tab.evaluate::<String>("document.title").await, "lobby · Chat rooms");
        }
        say(&eve, "hello, kitchen").await;
        wait_for_messages(&eve, &["hello, kitchen"]).await;

        // Refused first, then accepted by another name; a whisper is not shown
        // to others.
        bob.click("#people button").await;
        say(&bob, "psst").await;
        for tab in [&ada, &bob] {
            wait_for_texts(tab, ".whisper span", &["psst"]).await;
        }
        let cid = chromium.open(&format!("{ROOMS_PAGE}rooms/lobby")).await;
        say_at(&cid, "#name", "Ada").await;
        wait_for_texts(&cid, "#refusal", &["Somebody here is called Ada already."]).await;
        say_at(&cid, "#name", "Cid").await;
        wait_for_connection(&cid, "live").await;
        wait_for_people(&cid, &["AdaCid (you)", "Ada", "Bob"]).await;
        wait_for_messages(&cid, &said).await;
        wait_for_texts(&cid, ".whisper span", &[]).await;
        cid.save_picture("chat_rooms").await;
        // Who comes back gets what was said again, and lists it once.
        cid.click("#leave").await;
        wait_for_people(&ada, &["Ada (you)", "Bob"]).await;
        cid.press("Enter").await;
        wait_for_people(&cid, &["AdaCid (you)", "Ada", "Bob"]).await;
        say(&cid, "here again").await;
        wait_for_messages(&cid, &["hello, lobby", markup, "done", "here again"]).await;

        ada.click("#people li:last-child button").await;
        assert_eq!([ada.complaints(), bob.complaints(), eve.complaints()], [[""; 0]; 3]);
        bob.click("#leave").await;
        wait_for_people(&ada, &["Ada (you)", "AdaCid"]).await;
        wait_for_people(&cid, &["AdaCid (you)", "Ada"]).await;
        wait_for_people(&eve, &["Ada (you)"]).await;
        say(&ada, "still there?").await;
        wait_for_texts(&ada, "#error", &["Whoever that was has left."]).await;

        server.stop().await;
        for tab in [&ada, &cid, &eve] {
            wait_for_connection(tab, "waiting").await;
        }
        let server = chat_rooms().start().await.unwrap();
        wait_for_people(&ada, &["Ada (you)", "AdaCid"]).await;
        wait_for_people(&eve, &["Ada (you)"]).await;
        say(&cid, "back again").await;
        let said = ["hello, lobby", markup, "done", "here again", "back again"];
        wait_for_messages(&ada, &said).await;
        server.stop().await;
    });
}

#[test]
fn who_is_in_a_chat_room_is_the_same_in_each_window() {
    in_a_browser(async |chromium| {
        let server = chat_rooms().start().await.unwrap();
        let ada = enter(chromium, "porch", "Ada").await;
        let bob = enter(chromium, "porch", "Bob & Co").await;
        wait_for_people(&ada, &["Ada (you)", "Bob & Co"]).await;
        wait_for_people(&bob, &["Bob & Co (you)", "Ada"]).await;
        let notes = async |notes: &[&str]| wait_for_texts(&ada, ".note span", notes).await;
        notes(&["Bob & Co came in."]).await;

        // Who loads the page again has neither left nor come.
        for text in ["one", "two"] {
            bob.reload().await;
            wait_for_connection(&bob, "live").await;
            wait_for_people(&bob, &["Bob & Co (you)", "Ada"]).await;
            say(&bob, text).await;
        }
        for tab in [&ada, &bob] {
            wait_for_messages(tab, &["one", "two"]).await;
        }
        notes(&["Bob & Co came in."]).await;

        // Who leaves by the button is gone at once, who closes the window after the grace.
        bob.click("#leave").await;
        wait_for_people(&ada, &["Ada (you)"]).await;
        bob.press("Enter").await;
        wait_for_people(&bob, &["Bob & Co (you)", "Ada"]).await;
        bob.close().await;
        let [came, left] = ["Bob & Co came in.", "Bob & Co left."];
        notes(&[came, left, came]).await;
        wait_for_people(&ada, &["Ada (you)"]).await;
        notes(&[came, left, came, left]).await;
        server.stop().await;
    });
}

#[test]
fn who_comes_back_to_a_chat_room_gets_what_was_said_meanwhile() {
    in_a_browser(async |chromium| {
        let server = chat_rooms().start().await.unwrap();
        let mut room = Client::connect(&server, "/rooms/attic?name=Eve").await;
        let ada = enter(chromium, "attic", "Ada").await;
        say(&ada, "first").await;
        room.text().await;
        // As if another page were shown, and this one kept.
        ada.evaluate::<bool>("dispatchEvent(new Event('pagehide'))").await;
        // More than somebody new gets.
        for visitor in 0..3 {
            let path = format!("/rooms/attic?name={visitor}");
            let mut visitor = Client::connect(&server, &path).await;
            let hi = r#"{"say":"message","text":"hi"}"#;
            visitor.say_all([hi; 7].map(str::to_owned)).await;
            for _ in 0..7 {
                room.text().await;
            }
        }
        ada.evaluate::<bool>("dispatchEvent(new Event('pageshow'))").await;
        let mut said = vec!["first"];
        said.extend(["hi"; 21]);
        wait_for_messages(&ada, &said).await;
        let lost = "The connection was lost.";
        wait_for_texts(&ada, ".note span", &[lost]).await;

        // Of another server's rooms, nobody knows what was said there meanwhile.
        server.stop().await;
        let server = chat_rooms().start().await.unwrap();
        let notes = [lost, lost, "Some messages may be missing here."];
        wait_for_texts(&ada, ".note span", &notes).await;
        wait_for_connection(&ada, "live").await;
        say(&ada, "again").await;
        said.push("again");
        wait_for_messages(&ada, &said).await;
        server.stop().await;
    });
}

#[test]
fn votes_and_their_count_are_encrypted_on_one_port() {
    in_a_browser_that_trusts(Some(SECURE_KEY.trim_end()), async |chromium| {
        let server = secure().start().await.unwrap();
        let mut tabs = [open_at(chromium, SECURE_PAGE).await, open_at(chromium, SECURE_PAGE).await];
        for (voter, choice) in [(0, "fresh"), (1, "mushy"), (0, "fresh")] {
            tabs[voter].click(&format!("[value={choice}]")).await;
        }
        for tab in &tabs {
            wait_for_votes(tab, "2 0 1 0", "3 votes").await;
        }
        let protocol: String =
            tabs[0].evaluate("document.querySelector('#protocol').textContent").await;
        assert_eq!(protocol, "by HTTP/2");
        tabs[0].save_picture("secure").await;

        for tab in &mut tabs {
            let requests = tab.requests();
            for needed in [SECURE_PAGE, SECURE_SIGNAL, &format!("{SECURE_PAGE}votes")] {
                assert!(requests.iter().any(|url| url == needed), "{needed}: {requests:?}");
            }
            let home = |url: &&String| url.starts_with(SECURE_PAGE) || *url == SECURE_SIGNAL;
            assert_eq!(requests.iter().filter(|url| !home(url)).collect::<Vec<_>>(), [""; 0]);
            assert_eq!(tab.complaints(), [""; 0]);
        }

        server.stop().await;
        for tab in &tabs {
            wait_for_connection(tab, "waiting").await;
        }
        let server = secure().start().await.unwrap();
        for tab in &mut tabs {
            wait_for_connection(tab, "live").await;
            wait_for_votes(tab, "0 0 0 0", "Nobody has voted yet.").await;
            // Only its connection attempts while there was no server.
            let refused = format!("WebSocket connection to '{SECURE_SIGNAL}' failed");
            let other = tab.complaints().into_iter().filter(|text| !text.starts_with(&refused));
            assert_eq!(other.collect::<Vec<_>>(), [""; 0]);
        }
        server.stop().await;
    });
}

#[test]
fn prices_are_right_at_once_after_a_cut() {
    in_a_browser(async |chromium| {
        let server = live_prices::live_prices().start().await.unwrap();
        let mut tab = open_at(chromium, MARKET_PAGE).await;
        let other = open_at(chromium, MARKET_PAGE).await;
        for crop in ["peas", "beans", "lupins"] {
            wait_for_choice(&tab, crop, true).await;
        }
        tab.click("#cut").await;
        wait_for_connection(&tab, "connecting").await;
        other.click("[value=peas]").await;
        wait_for_choice(&other, "peas", false).await;
        wait_for_connection(&tab, "live").await;
        wait_for_choice(&tab, "peas", false).await;
        tab.save_picture("live_prices").await;

        // Of another server's market it keeps nothing.
        server.stop().await;
        wait_for_connection(&tab, "connecting").await;
        let server = live_prices::live_prices().start().await.unwrap();
        wait_for_connection(&tab, "live").await;
        wait_for_choice(&tab, "peas", true).await;
        assert_eq!(
            tab.evaluate::<String>("document.querySelector('#error').textContent").await,
            ""
        );
        let other = |text: &String| !text.starts_with("WebSocket");
        assert_eq!(tab.complaints().into_iter().filter(other).collect::<Vec<_>>(), [""; 0]);
        server.stop().await;
    });
}

/// The program of the test below, which runs this one alone, in processes of their own.
/// Otherwise it does nothing.
#[test]
fn many_nodes_program() {
    if std::env::var_os(IS_MANY_NODES).is_some() {
        many_nodes::main().unwrap();
    }
}

#[test]
fn a_page_goes_on_at_another_node_when_its_own_dies() {
    in_a_browser(async |chromium| {
        installed("redis-server");
        let mut program = this_test("browser::many_nodes_program");
        program.env(IS_MANY_NODES, "1").stdout(std::process::Stdio::null());
        let program = Process::start(&mut program);
        for page in NODE_PAGES {
            program.says(&format!("many_nodes listens on {page}")).await;
        }
        let mut tab = open_at(chromium, NODE_PAGES[0]).await;
        let other = open_at(chromium, NODE_PAGES[1]).await;
        let serves = |node: &str| {
            format!("document.querySelector('#connection').textContent.startsWith('{node}, ')")
        };
        tab.wait_until("the first node", &serves("127.0.0.1:8101")).await;
        say(&tab, "one").await;
        say(&other, "two").await;
        for tab in [&tab, &other] {
            tab.wait_until("both", "document.querySelectorAll('#messages .message').length === 2")
                .await;
        }

        tab.click("#kill").await;
        program.says("the node at http://127.0.0.1:8101/ has ended: exit status: 1").await;
        say(&other, "three").await;
        tab.wait_until("the other node", &serves("127.0.0.1:8102")).await;
        tab.wait_until(
            "what was said",
            "document.querySelectorAll('#messages .message').length === 3",
        )
        .await;
        assert_eq!(
            tab.evaluate::<u32>("document.querySelectorAll('#messages .note').length").await,
            0
        );
        assert_eq!(
            tab.evaluate::<String>("document.querySelector('#missed').textContent").await,
            "None was missed."
        );
        tab.save_picture("many_nodes").await;
        let other = |text: &String| !text.starts_with("WebSocket");
        assert_eq!(tab.complaints().into_iter().filter(other).collect::<Vec<_>>(), [""; 0]);
        // Whatever becomes of it, Redis and the nodes end, too, which share its log.
        program.signal("-KILL");
        program.end().await;
    });
}

#[test]
fn prices_of_another_server_come_by_a_line_that_heals() {
    in_a_browser(async |chromium| {
        let feed = relay::feed().start().await.unwrap();
        let server = relay::relay().start().await.unwrap();
        let mut tab = open_at(chromium, RELAY_PAGE).await;
        wait_for_line(&tab, "live", "connection no. 1").await;
        for crop in ["peas", "beans", "lentils"] {
            wait_for_prices(&tab, crop, 8).await;
        }

        // A crop that no client has watched yet, until it is ordered.
        assert_eq!(prices(&tab, "lupins").await, 0);
        tab.click("[value=lupins]").await;
        wait_for_choice(&tab, "lupins", true).await;
        wait_for_prices(&tab, "lupins", 2).await;
        tab.save_picture("relay").await;

        // After the reconnect, the same is ordered again.
        tab.click("#cut button").await;
        wait_for_line(&tab, "live", "connection no. 2").await;
        let before = prices(&tab, "lupins").await;
        wait_for_prices(&tab, "lupins", before + 2).await;

        feed.stop().await;
        wait_for_line(&tab, "waiting", "down, trying again").await;
        tab.save_picture("relay-down").await;
        tab.click("[value=chickpeas]").await;
        wait_for_choice(&tab, "chickpeas", true).await;
        assert_eq!(prices(&tab, "chickpeas").await, 0);
        let feed = relay::feed().start().await.unwrap();
        wait_for_line(&tab, "live", "connection no. 3").await;
        wait_for_prices(&tab, "chickpeas", 2).await;

        let requests = tab.requests();
        for signal in ["ws://127.0.0.1:8097/prices", "ws://127.0.0.1:8097/line"] {
            assert!(requests.iter().any(|url| url == signal), "{signal} is not among {requests:?}");
        }
        let home =
            |url: &&String| url.starts_with(RELAY_PAGE) || url.starts_with("ws://127.0.0.1:8097/");
        assert_eq!(requests.iter().filter(|url| !home(url)).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(tab.complaints(), [""; 0]);
        let said: String = tab.evaluate("document.querySelector('#error').textContent").await;
        assert_eq!(said, "");
        server.stop().await;
        feed.stop().await;
    });
}

#[test]
fn a_certificate_that_nobody_else_signed_is_warned_of() {
    in_a_browser(async |chromium| {
        let server = secure().start().await.unwrap();
        let warning = chromium.try_open(SECURE_PAGE).await.err();
        assert_eq!(warning.as_deref(), Some("net::ERR_CERT_AUTHORITY_INVALID"));
        server.stop().await;
    });
}

pode_server! {
    server wall;
    public "behavior/browser/wall";
    endpoint http "127.0.0.1:0";
    endpoint ws   "127.0.0.1:0";
    signal WALL: String -> String = "/msg" { rebroadcast: Anyone } => rebroadcast;
}

#[test]
fn a_page_written_for_pode_works_as_it_is() {
    let test = async |chromium: &Chromium| {
        let server = start(wall()).await;
        let page = format!("http://{}/", server.address(pode::Protocol::Http).unwrap());
        let mut tabs = [chromium.open(&page).await, chromium.open(&page).await];
        for tab in &tabs {
            tab.wait_until("the socket", "document.body.className === 'open'").await;
        }
        say(&tabs[0], "hello, <b>wall</b>").await;
        for tab in &tabs {
            wait_for_texts(tab, "#messages p", &["hello, <b>wall</b>"]).await;
        }
        tabs[0].click("#direct").await;
        say(&tabs[0], "hello, me").await;
        wait_for_texts(&tabs[0], "#messages p", &["hello, <b>wall</b>", "hello, me"]).await;
        // The next message has none before it.
        tabs[1].type_into("#message", "hello, you").await;
        tabs[1].click("#send").await;
        wait_for_texts(&tabs[1], "#messages p", &["hello, <b>wall</b>", "hello, you"]).await;
        wait_for_texts(&tabs[0], "#messages p", &["hello, <b>wall</b>", "hello, me", "hello, you"])
            .await;
        for tab in &mut tabs {
            assert_eq!(tab.complaints(), [""; 0]);
        }
        server.stop().await;
    };
    Runtime::new().unwrap().block_on(Chromium::run(None, test));
}
