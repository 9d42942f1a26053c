//! Client certificates.

use pode::ClientAuthorities;
use pode::certificate::{optional, required};
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

use super::authority::{Authority, Folder, Issued};
use super::*;

pode_server! {
    server guarded(certificate: Certificate, authorities: ClientAuthorities);
    endpoint https "127.0.0.1:0" {
        certificate: certificate,
        client_certificate: authorities,
    };
    endpoint wss   "127.0.0.1:0";
    signal NAMES: String = "/names";
    on connect NAMES => async |event: ConnectEvent<String>| {
        event.greet(&who(event.client_certificate()))
    };
    route GET "/" => async |event: WebEvent| text(who(event.client_certificate()));
}

fn who(certificate: Option<&pode::ClientCertificate>) -> String {
    match certificate {
        Some(it) => format!("{} {:?} {}", it.subject(), it.names(), it.der().len()),
        None => "nobody".to_owned(),
    }
}

struct Guarded {
    /// Signs the server's certificate.
    authority: Authority,
    folder: Folder,
    server: RunningServer,
    address: SocketAddr,
}

impl Guarded {
    async fn start(
        clients: &Authority,
        rule: fn(std::path::PathBuf) -> ClientAuthorities,
    ) -> Guarded {
        let (authority, folder) = (Authority::new(), Folder::new());
        folder.put_pair(&authority.issue(&["localhost"]));
        folder.put("clients.pem", &clients.pem());
        let rule = rule(folder.file("clients.pem"));
        let server = start(guarded(folder.pair(), rule)).await;
        let address = server.address(Protocol::Https).unwrap();
        Guarded { authority, folder, server, address }
    }

    /// Returns the configuration of a client that shows this certificate.
    fn showing(
        &self,
        issued: Option<&Issued>,
        version: &'static SupportedProtocolVersion,
    ) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        let root = self.authority.pem();
        roots.add(CertificateDer::from_pem_slice(root.as_bytes()).unwrap()).unwrap();
        let builder = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots);
        match issued {
            Some(issued) => {
                let key = PrivatePkcs8KeyDer::from(issued.key_der.clone());
                builder.with_client_auth_cert(vec![issued.der.clone()], key.into()).unwrap()
            }
            None => builder.with_no_client_auth(),
        }
    }

    /// Requests the page as one client; `None` if that is refused. With TLS 1.3
    /// the client's handshake ends before the server has verified the
    /// certificate.
    async fn ask(
        &self,
        issued: Option<&Issued>,
        version: &'static SupportedProtocolVersion,
    ) -> Option<String> {
        let config = self.showing(issued, version);
        let mut stream = connect(config, self.address, "localhost").await.ok()?;
        stream.write_all(GET_PAGE).await.ok()?;
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer), "an answer or the end").await.ok()?;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        Some(answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }
}

fn subject(issued: &Issued) -> String {
    format!("O=pode\\, inc,CN=ada [\"ada@pode.example\"] {}", issued.der.len())
}

#[tokio::test]
async fn who_must_show_a_certificate_is_refused_without() {
    let clients = Authority::new();
    let guarded = Guarded::start(&clients, required).await;
    let ada = clients.issue_to_client("ada", "ada@pode.example");
    let stranger = Authority::new().issue_to_client("ada", "ada@pode.example");
    // A server certificate is not valid for clients.
    let server = clients.issue(&["localhost"]);
    for version in [&TLS12, &TLS13] {
        assert_eq!(guarded.ask(Some(&ada), version).await, Some(subject(&ada)));
        assert_eq!(guarded.ask(None, version).await, None);
        assert_eq!(guarded.ask(Some(&stranger), version).await, None);
        assert_eq!(guarded.ask(Some(&server), version).await, None);
    }
}

#[tokio::test]
async fn who_may_show_a_certificate_is_let_in_without() {
    let clients = Authority::new();
    let guarded = Guarded::start(&clients, optional).await;
    let ada = clients.issue_to_client("ada", "ada@pode.example");
    let stranger = Authority::new().issue_to_client("ada", "ada@pode.example");
    for version in [&TLS12, &TLS13] {
        assert_eq!(guarded.ask(Some(&ada), version).await, Some(subject(&ada)));
        assert_eq!(guarded.ask(None, version).await, Some("nobody".to_owned()));
        assert_eq!(guarded.ask(Some(&stranger), version).await, None);
    }
}

#[tokio::test]
async fn handlers_see_the_certificate_however_it_comes() {
    let clients = Authority::new();
    let guarded = Guarded::start(&clients, required).await;
    let ada = clients.issue_to_client("ada", "ada@pode.example");
    let config = guarded.showing(Some(&ada), &TLS13);

    let stream = connect(config.clone(), guarded.address, "localhost").await.unwrap();
    let mut client = Client::over(stream, "wss://localhost/names").await;
    assert_eq!(client.text().await, serde_json::to_string(&subject(&ada)).unwrap());

    // A client that resumes a session has shown its certificate before.
    let again = connect(config.clone(), guarded.address, "localhost").await.unwrap();
    let kind = again.get_ref().1.handshake_kind();
    assert_eq!(kind, Some(tokio_rustls::rustls::HandshakeKind::Resumed));
    assert_eq!(raw_over(again, GET_PAGE).await.text(), subject(&ada));

    let mut config = config;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = connect(config, guarded.address, "localhost").await.unwrap();
    let mut requests = http_2_over(stream).await;
    assert_eq!(get_by_http_2(&mut requests, "/").await.unwrap(), (200, subject(&ada)));
}

#[tokio::test]
async fn who_signs_certificates_of_clients_is_renewed() {
    let (before, after) = (Authority::new(), Authority::new());
    let guarded = Guarded::start(&before, required).await;
    let ada = before.issue_to_client("ada", "ada@pode.example");
    let new_ada = after.issue_to_client("ada", "ada@pode.example");
    assert_eq!(guarded.ask(Some(&new_ada), &TLS13).await, None);
    // It was accepted, and could resume its session.
    let config = guarded.showing(Some(&ada), &TLS13);
    let stream = connect(config.clone(), guarded.address, "localhost").await.unwrap();
    let mut client = Client::over(stream, "wss://localhost/names").await;
    client.text().await;

    guarded.folder.put("clients.pem", &after.pem());
    let seen = async { while guarded.ask(Some(&new_ada), &TLS13).await.is_none() {} };
    within(seen, "the new authority").await;
    assert_eq!(guarded.ask(Some(&ada), &TLS13).await, None);
    let refused = async {
        let mut again = connect(config, guarded.address, "localhost").await?;
        again.write_all(GET_PAGE).await?;
        again.read_u8().await
    };
    within(refused, "the end").await.expect_err("its session has ended with the authority");
    guarded.server.signals().send(NAMES, &"still here".to_owned()).await.unwrap();
    assert_eq!(client.text().await, "\"still here\"");
}

#[tokio::test]
async fn authorities_that_cant_be_used_have_their_sentence() {
    let refused = async |authorities: ClientAuthorities| {
        let error = guarded(self_signed(), authorities).start().await.unwrap_err();
        format!("{error:?}")
    };
    assert_eq!(
        refused(required(file("key.pem"))).await,
        format!("endpoint `https` can't use `{FOLDER}/key.pem`: it holds no certificate")
    );
    let missing = refused(optional("certs/clients.pem")).await;
    assert!(
        missing.starts_with("endpoint `https` can't use `certs/clients.pem`: there is no file at ")
    );
}

pode_server! {
    server of_two_minds(address: pode::Address, rules: [ClientAuthorities; 2]);
    endpoint https address.clone() { certificate: self_signed(), client_certificate: rules[0].clone() };
    endpoint wss   address { client_certificate: rules[1].clone() };
    signal MINDS: String = "/";
    route GET "/" => async |_| text("hello");
}

#[tokio::test]
async fn one_address_has_one_rule_for_clients() {
    let rule = || required(file("root.pem"));
    let start = |one, other| of_two_minds("127.0.0.1:0".into(), [one, other]).start();
    let _ = start(rule(), rule()).await.unwrap();
    let _ = start(rule(), ClientAuthorities::default()).await.unwrap();
    let error = start(rule(), optional(file("root.pem"))).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "endpoint `wss` shares an address, but not whose client certificates are good"
    );
}
