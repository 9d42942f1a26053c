//! Certificates that change while the server runs.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::sync::watch;

use super::authority::{Authority, Folder, shown, shows};
use super::*;

/// Clients that reconnect all the time, and clients that stay connected.
const RESTLESS: usize = 4;
const STAYING: usize = 4;

/// Connects and requests a page until it is told to end; counts the handshakes.
async fn come_and_go(
    config: ClientConfig,
    address: SocketAddr,
    times: watch::Sender<usize>,
    end: Arc<AtomicBool>,
) {
    while !end.load(Ordering::Relaxed) {
        let stream = connect(config.clone(), address, "localhost").await.expect("a handshake");
        assert_eq!(raw_over(stream, GET_PAGE).await.text(), "page");
        times.send_modify(|times| *times += 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_new_certificates_under_load_disturb_nobody() {
    let (authority, folder) = (Authority::new(), Folder::new());
    folder.put_pair(&authority.issue(&["localhost"]));
    let server = start(secured_by(folder.pair())).await;
    let address = server.address(Protocol::Https).unwrap();
    let config = authority.trusted();

    let end = Arc::new(AtomicBool::new(false));
    let (times, mut handshakes) = watch::channel(0);
    let restless: Vec<_> = (0..RESTLESS)
        .map(|_| come_and_go(config.clone(), address, times.clone(), Arc::clone(&end)))
        .map(tokio::spawn)
        .collect();
    let mut staying = Vec::new();
    for _ in 0..STAYING {
        let stream = connect(config.clone(), address, "localhost").await.unwrap();
        staying.push(Client::over(stream, "wss://localhost/news").await);
    }
    for round in 0..100 {
        let issued = authority.issue(&["localhost"]);
        folder.put_pair(&issued);
        shows(&config, address, &issued).await;
        server.signals().send(NEWS, &round.to_string()).await.unwrap();
        for client in &mut staying {
            assert_eq!(client.text().await, format!("\"{round}\""));
        }
        // Ensures load all the time, however slow this machine is.
        let enough = handshakes.wait_for(|times| *times > RESTLESS * round);
        let _ = within(enough, "others who shake hands").await.unwrap();
    }
    end.store(true, Ordering::Relaxed);
    for client in restless {
        client.await.expect("no handshake fails");
    }
}

/// As Certbot and Kubernetes do it: a link in the path changes.
#[cfg(unix)]
#[tokio::test]
async fn a_link_that_leads_elsewhere_is_followed() {
    use std::os::unix::fs::symlink;

    let (authority, folder) = (Authority::new(), Folder::new());
    let put = |name: &str| {
        let issued = authority.issue(&["localhost"]);
        std::fs::create_dir(folder.file(name)).unwrap();
        std::fs::write(folder.file(name).join("chain.pem"), &issued.chain).unwrap();
        std::fs::write(folder.file(name).join("key.pem"), &issued.key).unwrap();
        symlink(name, folder.file("new")).unwrap();
        std::fs::rename(folder.file("new"), folder.file("now")).unwrap();
        issued
    };
    let first = put("first");
    std::fs::create_dir(folder.file("live")).unwrap();
    for file in ["chain.pem", "key.pem"] {
        symlink(format!("../now/{file}"), folder.file("live").join(file)).unwrap();
    }
    let live = folder.file("live");
    let server = start(secured_by(pem(live.join("chain.pem"), live.join("key.pem")))).await;
    let address = server.address(Protocol::Https).unwrap();
    let config = authority.trusted();
    shows(&config, address, &first).await;
    // The first check at the start might see one of them by chance.
    for name in ["second", "third", "fourth", "fifth", "sixth"] {
        let next = put(name);
        shows(&config, address, &next).await;
    }
}

/// A resumed session has shown its certificate before.
#[tokio::test]
async fn no_session_outlives_its_certificate() {
    let (authority, folder) = (Authority::new(), Folder::new());
    folder.put_pair(&authority.issue(&["localhost"]));
    let server = start(secured_by(folder.pair())).await;
    let address = server.address(Protocol::Https).unwrap();
    let resuming = trusting(
        CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap(),
        &[&TLS12, &TLS13],
    );
    let kind = async || {
        let stream = connect(resuming.clone(), address, "localhost").await.unwrap();
        let kind = stream.get_ref().1.handshake_kind().unwrap();
        // The ticket comes with the response.
        raw_over(stream, GET_PAGE).await;
        kind
    };
    use tokio_rustls::rustls::HandshakeKind::{Full, Resumed};
    assert_eq!((kind().await, kind().await), (Full, Resumed));
    let next = authority.issue(&["localhost"]);
    folder.put_pair(&next);
    shows(&authority.trusted(), address, &next).await;
    assert_eq!((kind().await, kind().await), (Full, Resumed));
}

/// A password's file counts among the certificate's files.
#[tokio::test]
async fn a_new_password_comes_with_its_file() {
    let folder = Folder::new();
    let copy = |from: &str, to: &str| std::fs::copy(file(from), folder.file(to)).unwrap();
    copy("modern.pfx", "server.pfx");
    folder.put("password.txt", "correct horse");
    let password = password_from_file(folder.file("password.txt"));
    let server = start(secured_by(pfx(folder.file("server.pfx"), password))).await;
    let address = server.address(Protocol::Https).unwrap();

    let shown_now = async || {
        let curious = Arc::new(certificate::Curious::default());
        let mut config = trusting_root();
        config.dangerous().set_certificate_verifier(curious);
        shown(&connect(config, address, "localhost").await.unwrap())
    };
    let first = shown_now().await;

    copy("renewed.pfx", "new.pfx");
    std::fs::rename(folder.file("new.pfx"), folder.file("server.pfx")).unwrap();
    folder.put("password.txt", "battery staple\n");
    within(async { while shown_now().await == first {} }, "the new certificate").await;
}

#[cfg(unix)]
mod hang_up {
    use std::process::Stdio;

    use super::*;
    use crate::support::{Process, this_test};

    const FOLDER: &str = "PODE_TEST_CERTIFICATES";

    static RELOADS: AtomicUsize = AtomicUsize::new(0);

    pode_server! {
        server hung_up(certificate: Certificate);
        endpoint https "127.0.0.1:0" { certificate: certificate };
        endpoint wss   "127.0.0.1:0";
        signal COUNT: usize = "/count";
        route GET "/" => async |event: WebEvent| {
            event.send(COUNT, &RELOADS.fetch_add(1, Ordering::Relaxed)).await.map(|()| text("told"))
        };
    }

    /// The program of the test below, which runs this test alone, in a process
    /// of its own. Otherwise it does nothing.
    #[test]
    fn program() {
        if let Some(folder) = std::env::var_os(FOLDER) {
            let folder = std::path::PathBuf::from(folder);
            pode::log_to_terminal();
            let certificate = pem(folder.join("chain.pem"), folder.join("key.pem"));
            hung_up(certificate).run_blocking().unwrap();
        }
    }

    async fn start_program(folder: &Folder) -> (Process, SocketAddr) {
        let mut command = this_test("tls::renewal::hang_up::program");
        command.env(FOLDER, &folder.path).env("RUST_LOG", "info,pode::access=off");
        let program = Process::start(command.stdout(Stdio::null()));
        let address = program.address(Protocol::Https).await;
        (program, address)
    }

    /// Waits for a line of the log. Only a few others may come before: the
    /// program may log where it listens before or after it logs about
    /// certificates.
    async fn says(program: &mut Process, text: &str) -> String {
        let mut lines = program.says_next(text).await;
        let line = lines.pop().unwrap();
        for line in lines {
            let quiet = ["listens on", "as SIGHUP asks"].iter().any(|it| line.contains(it));
            assert!(quiet, "instead of {text:?}: {line}");
        }
        line
    }

    #[tokio::test]
    async fn what_cant_be_used_is_told_once_and_again_when_asked() {
        let (authority, folder) = (Authority::new(), Folder::new());
        let (first, second) = (authority.issue(&["localhost"]), authority.issue(&["localhost"]));
        folder.put_pair(&first);
        let (mut program, address) = start_program(&folder).await;
        let config = authority.trusted();
        let stream = connect(config.clone(), address, "localhost").await.unwrap();
        let mut client = Client::over(stream, "wss://localhost/count").await;

        // Half of a pair, whose other half doesn't come.
        folder.put("key.pem", &second.key);
        let line = says(&mut program, "ERROR").await;
        let key = folder.file("key.pem");
        let sentence = format!(
            "endpoint `https` can't use the new `{}`: its key doesn't belong to the certificate; \
             the certificates before stay in use",
            key.display()
        );
        assert!(line.ends_with(&sentence), "{line}");
        shows(&config, address, &first).await;

        // SIGHUP would end a process without a handler for it.
        program.signal("-HUP");
        says(&mut program, "looking for new certificates, as SIGHUP asks").await;
        assert!(says(&mut program, "ERROR").await.ends_with(&sentence));

        folder.put("chain.pem", &second.chain);
        let line = says(&mut program, "INFO").await;
        let chain = folder.file("chain.pem");
        let beginning =
            format!("endpoint `https` has new certificates: `{}`, good until ", chain.display());
        assert!(line.contains(&beginning), "{line}");
        shows(&config, address, &second).await;

        // The client that was connected all the time still is.
        let stream = connect(config.clone(), address, "localhost").await.unwrap();
        assert_eq!(raw_over(stream, GET_PAGE).await.text(), "told");
        assert_eq!(client.text().await, "0");

        // When nothing has changed, it logs nothing more.
        program.signal("-HUP");
        says(&mut program, "looking for new certificates, as SIGHUP asks").await;
        folder.put_pair(&first);
        says(&mut program, "has new certificates").await;
    }

    #[tokio::test]
    async fn an_end_that_is_near_is_told_to_the_log() {
        let (authority, folder) = (Authority::new(), Folder::new());
        folder.put_pair(&authority.issue_for_days(20));
        let (mut program, _) = start_program(&folder).await;
        let line = says(&mut program, "WARN").await;
        let chain = folder.file("chain.pem");
        let beginning = format!(
            "the certificate of \"localhost\" in `{}` expires in 19 days: it is good until ",
            chain.display()
        );
        assert!(line.contains(&beginning), "{line}");

        // An expired certificate is reported as soon as it is loaded; one that
        // is valid for long isn't.
        for (days, level, text) in [(-2, "ERROR", "has expired"), (31, "", "")] {
            folder.put_pair(&authority.issue_for_days(days));
            says(&mut program, "has new certificates").await;
            if !level.is_empty() {
                assert!(says(&mut program, level).await.contains(text));
            }
        }
        folder.put_pair(&authority.issue_for_days(365));
        says(&mut program, "has new certificates").await;
    }
}
