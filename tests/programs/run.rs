//! Whole programs: the examples, a release build, and the server of the README,
//! each run as users run it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use pode_test_crates::{cargo, folder, output, repository, target};
use tokio::process::Command;
use tokio_tungstenite::tungstenite::Message;

use crate::support::{Client, Process, example_ports, request_at};

const FORM: [(&str, &str); 1] = [("Content-Type", "application/x-www-form-urlencoded")];

/// Builds an example as users do, and returns its program. `arguments` are
/// added to cargo's.
fn example(name: &str, arguments: &[&str]) -> PathBuf {
    let build = ["build", "--quiet", "--package", "pode", "--all-features", "--example", name];
    let build = [&build[..], arguments].concat();
    output(&mut cargo(&repository(), &build)).unwrap_or_else(|said| panic!("{said}"));
    target().join("debug/examples").join(name)
}

/// Starts a program in a folder.
fn run(program: &Path, folder: &Path) -> Process {
    Process::start(Command::new(program).current_dir(folder))
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[tokio::test]
async fn the_seed_example_does_what_it_says() {
    let program = example("web_signal", &[]);
    let _ports = example_ports();
    let first = run(&program, &repository());
    first.says("listens on ws://127.0.0.1:8091/").await;

    let page = request_at(at(8090), "GET", "/", &[], b"").await;
    assert_eq!(page.status, 200);
    assert!(page.text().starts_with("<!doctype html>"));
    let mut clients = [
        Client::connect_at(at(8091), "/").await.unwrap(),
        Client::connect_at(at(8091), "/").await.unwrap(),
    ];
    let mut times = Client::connect_at(at(8091), "/response-times").await.unwrap();
    assert_eq!(request_at(at(8090), "POST", "/broadcast", &FORM, b"message=hi").await.status, 204);
    for client in &mut clients {
        assert_eq!(client.text().await, r#"{"Message":"hi"}"#);
    }
    assert!(times.text().await.starts_with(r#"{"milliseconds":"#));

    let (said, status) = run(&program, &repository()).end().await;
    assert_eq!(status.code(), Some(1));
    assert_eq!(
        said,
        "Error: endpoint `http` can't listen on 127.0.0.1:8090, which is already in use\n"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn rooms_that_close_with_people_in_them_are_no_error() {
    let program = example("chat_rooms", &[]);
    let _ports = example_ports();
    let program = run(&program, &repository());
    program.says("listens on ws://127.0.0.1:8096/").await;
    let mut people = Vec::new();
    for name in ["Ada", "Bob", "Cid"] {
        let path = format!("/rooms/lobby?name={name}");
        people.push(Client::connect_at(at(8096), &path).await.unwrap());
    }
    program.signal("-TERM");
    let farewells = people.iter_mut().map(Client::close_code);
    assert_eq!(futures_util::future::join_all(farewells).await, [1001; 3]);
    // All clients leave, and nobody is left to be told.
    let (said, status) = program.end().await;
    assert_eq!(status.code(), Some(0));
    assert!(!said.contains("ERROR"), "{said}");
}

#[tokio::test]
async fn the_echo_example_sends_back_what_it_gets() {
    let program = example("echo", &[]);
    let _ports = example_ports();
    let program = run(&program, &repository());
    program.says("listens on ws://127.0.0.1:8092/").await;
    let mut client = Client::connect_at(at(8092), "/").await.unwrap();
    let mut other = Client::connect_at(at(8092), "/").await.unwrap();
    for message in [
        Message::text("not \"JSON\""),
        Message::text("\u{e9}".repeat(1 << 19)),
        Message::binary(vec![0xff; 1 << 20]),
        Message::binary(vec![]),
    ] {
        client.send(message.clone()).await;
        assert!(client.message().await == message, "{} bytes", message.len());
    }
    // No other client got any of it.
    other.say("alone").await;
    assert_eq!(other.text().await, "alone");
}

/// A release build has no assertions, which makes it embed the files.
#[tokio::test]
async fn a_release_binary_alone_is_enough() {
    let without_assertions = "profile.dev.package.pode.debug-assertions=false";
    let built = example("timers_and_schedules", &["--config", without_assertions]);
    let folder = folder("release");
    let program = folder.join("timers_and_schedules");
    std::fs::copy(built, &program).unwrap();
    // It doesn't even contain the path of the files.
    let binary = std::fs::read(&program).unwrap();
    let path = repository().join("examples/timers_and_schedules/public");
    let path = path.into_os_string().into_encoded_bytes();
    assert!(!binary.windows(path.len()).any(|window| window == path));

    let _ports = example_ports();
    let running = run(&program, &folder);
    running.says("listens on ws://127.0.0.1:8093/").await;
    for (path, content_type) in
        [("/", "text/html; charset=utf-8"), ("/script.js", "text/javascript; charset=utf-8")]
    {
        let file = request_at(at(8093), "GET", path, &[], b"").await;
        assert_eq!((file.status, file.headers["content-type"].as_str()), (200, content_type));
        assert!(file.body.len() > 1000);
    }
    assert_eq!(request_at(at(8093), "GET", "/../Cargo.toml", &[], b"").await.status, 404);
    drop(running);
    std::fs::remove_dir_all(folder).unwrap();
}

/// Returns the first code block of that language after a text of the README.
fn block<'a>(readme: &'a str, behind: &str, language: &str) -> &'a str {
    let fence = format!("```{language}\n");
    let (_, rest) =
        readme.split_once(behind).unwrap_or_else(|| panic!("the README has {behind:?}"));
    let (_, rest) = rest.split_once(&fence).expect("a block follows");
    rest.split_once("```").expect("the block ends").0
}

/// Builds the server of the README, and checks that it pushes a message.
/// `features` is the line of `pode` in `Cargo.toml`, if it is another one.
async fn the_server_of_the_readme_serves(features: Option<&str>) {
    let readme = std::fs::read_to_string(repository().join("README.md")).unwrap();
    let section = readme.split_once("## Your own server").expect("the section is there").1;
    let manifest = block(section, "`Cargo.toml`:", "toml");
    let line = "pode = { path = \"../pode\" }\n";
    assert!(manifest.contains(line));
    let manifest = match features {
        Some(behind) => manifest.replace(line, block(section, behind, "toml")),
        None => manifest.to_owned(),
    };
    let manifest = manifest.replace("\"../pode\"", &format!("{:?}", repository()));

    let folder = folder("readme");
    std::fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    std::fs::write(folder.join("src/main.rs"), block(section, "`src/main.rs`:", "rust,no_run"))
        .unwrap();
    let built = cargo(&folder, &["build"]).output().unwrap();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success() && !said.contains("warning"), "{said}");

    let _ports = example_ports();
    let news = run(&target().join("debug/news"), &folder);
    news.says("listens on ws://127.0.0.1:8095/").await;
    assert!(
        request_at(at(8095), "GET", "/", &[], b"").await.text().contains("<title>News</title>")
    );
    let mut client = Client::connect_at(at(8095), "/news").await.unwrap();
    assert_eq!(request_at(at(8095), "POST", "/news", &FORM, b"title=hi").await.status, 204);
    assert_eq!(client.text().await, r#"{"title":"hi"}"#);
    drop(news);
    if features.is_none() {
        its_tests_pass(section, &folder);
    }
    std::fs::remove_dir_all(folder).unwrap();
}

/// Adds the tests of the README to its server, and runs them.
fn its_tests_pass(section: &str, folder: &Path) {
    let section = section.split_once("## Its tests").expect("the section is there").1;
    let dependencies = block(section, "In `Cargo.toml`:", "toml");
    let dependencies = dependencies.replace("\"../pode\"", &format!("{:?}", repository()));
    let tests = block(section, "At the end of `src/main.rs`:", "rust,ignore");
    for (file, added) in [("Cargo.toml", &*dependencies), ("src/main.rs", tests)] {
        let file = folder.join(file);
        let before = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{before}\n{added}")).unwrap();
    }
    let said = output(&mut cargo(folder, &["test", "--quiet"])).unwrap();
    assert!(said.contains("1 passed"), "{said}");
}

/// One after the other, since both are the same program.
#[tokio::test]
async fn the_server_of_the_readme_builds_without_a_warning_and_serves() {
    the_server_of_the_readme_serves(None).await;
    the_server_of_the_readme_serves(Some("A server that only pushes messages")).await;
}
