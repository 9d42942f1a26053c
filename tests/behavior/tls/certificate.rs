//! Certificates: which are usable, and the errors of those that aren't.

use super::authority::Folder;
use super::*;

#[tokio::test]
async fn a_signal_arrives_behind_each_kind_of_certificate() {
    let server = start(every_kind()).await;
    let mut clients = Vec::new();
    for endpoint in server.endpoints() {
        let stream = secure_stream(endpoint.address).await;
        clients.push(Client::over(stream, "wss://localhost/").await);
    }
    assert_eq!(clients.len(), 4);
    server.signals().send(KINDS, &"hi".to_owned()).await.unwrap();
    for client in &mut clients {
        assert_eq!(client.text().await, "\"hi\"");
    }
}

/// Trusts every certificate, and remembers it: like a person who looks at a
/// certificate before trusting it.
#[derive(Debug, Default)]
pub(super) struct Curious {
    seen: Mutex<Option<CertificateDer<'static>>>,
}

impl ServerCertVerifier for Curious {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        *self.seen.lock().unwrap() = Some(end_entity.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_for_this_machine() {
    let server = start(secured_by(self_signed())).await;
    let address = server.address(Protocol::Wss).unwrap();
    connect(trusting_root(), address, "localhost").await.expect_err("nobody trusts it unasked");

    let curious = Arc::new(Curious::default());
    let mut config = trusting_root();
    config.dangerous().set_certificate_verifier(curious.clone());
    connect(config, address, "localhost").await.unwrap();
    let certificate = curious.seen.lock().unwrap().take().unwrap();

    for name in ["localhost", "127.0.0.1", "::1"] {
        let config = trusting(certificate.clone(), &[&TLS13]);
        let stream = connect(config, address, name).await.expect(name);
        assert_eq!(raw_over(stream, GET_PAGE).await.text(), "page");
    }
    let config = trusting(certificate, &[&TLS13]);
    connect(config, address, "example.org").await.expect_err("it is for other names");
}

#[tokio::test]
async fn a_password_comes_from_the_environment() {
    const NAME: &str = "PODE_TEST_CERTIFICATE_PASSWORD";
    if std::env::var_os(NAME).is_none() {
        // A process of its own, since all tests here share the environment.
        let test = ["--exact", "tls::certificate::a_password_comes_from_the_environment"];
        let again = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args(test)
            .env(NAME, PASSWORD)
            .output()
            .await
            .unwrap();
        let said = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && said.contains("1 passed"), "{said}");
        return;
    }
    let server = start(secured_by(pfx(file("modern.pfx"), password_from_env(NAME)))).await;
    let stream = secure_stream(server.address(Protocol::Https).unwrap()).await;
    assert_eq!(raw_over(stream, GET_PAGE).await.text(), "page");
}

#[tokio::test]
async fn a_key_in_pem_form_may_have_a_password() {
    let secret = Folder::new();
    secret.put("password.txt", "secret\n");
    let password = password_from_file(secret.file("password.txt"));
    let key = |name: &str| pem(file("chain.pem"), file(name));
    for certificate in [
        key("key-with-password.pem").password("secret"),
        key("key-with-password.pem").password(password),
        key("key-by-old-ciphers.pem").password("secret"),
        // An unneeded password does no harm.
        key("key.pem").password("secret"),
    ] {
        let server = start(secured_by(certificate)).await;
        let stream = secure_stream(server.address(Protocol::Https).unwrap()).await;
        assert_eq!(raw_over(stream, GET_PAGE).await.text(), "page");
    }
}

/// As editors of Windows write them; `cat` puts two such files into one.
#[tokio::test]
async fn a_pem_file_may_say_that_it_is_utf_8() {
    let files = Folder::new();
    let marked = |name: &str| {
        let text = std::fs::read_to_string(file(name)).unwrap();
        files.put(name, &text.replace("-----BEGIN", "\u{feff}-----BEGIN"));
        files.file(name)
    };
    let server = start(secured_by(pem(marked("chain.pem"), marked("key.pem")))).await;
    // It shows the whole chain: the client trusts its root alone.
    let stream = secure_stream(server.address(Protocol::Https).unwrap()).await;
    assert_eq!(raw_over(stream, GET_PAGE).await.text(), "page");
    let _ = start(secured_by(
        pem(file("chain.pem"), marked("key-with-password.pem")).password("secret"),
    ))
    .await;
}

#[tokio::test]
async fn a_pkcs_12_file_may_be_in_ber() {
    let server = start(secured_by(pfx(file("nss.pfx"), PASSWORD))).await;
    let stream = secure_stream(server.address(Protocol::Https).unwrap()).await;
    assert_eq!(raw_over(stream, GET_PAGE).await.text(), "page");
    let sentence = format!("endpoint `https` can't use `{FOLDER}/nss.pfx`: the password is wrong");
    assert_eq!(refused(pfx(file("nss.pfx"), "incorrect donkey")).await, sentence);
}

async fn refused(certificate: Certificate) -> String {
    let error = secured_by(certificate).start().await.expect_err("the certificate is unusable");
    format!("{error:?}")
}

#[tokio::test]
async fn each_unusable_certificate_has_its_sentence() {
    let right = || password_from_file(file("password.txt"));
    let files = Folder::new();
    let chain = std::fs::read_to_string(file("chain.pem")).unwrap();
    let (own, authority) = chain.split_at(chain.rfind("-----BEGIN").unwrap());
    files.put("authority-first.pem", &format!("{authority}{own}"));
    files.put("damaged.pem", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n");
    let utf_16: Vec<u8> =
        format!("\u{feff}{chain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(files.file("utf-16.pem"), utf_16).unwrap();
    let here = std::env::current_dir().unwrap();
    let here = here.display();
    let cases = [
        (
            pfx("certs/missing.pfx", right()),
            format!(
                "endpoint `https` can't use `certs/missing.pfx`: there is no file at `{here}/certs/missing.pfx`"
            ),
        ),
        (
            pfx(file("modern.pfx"), "incorrect donkey"),
            format!("endpoint `https` can't use `{FOLDER}/modern.pfx`: the password is wrong"),
        ),
        (
            pfx(file("legacy.pfx"), ""),
            format!("endpoint `https` can't use `{FOLDER}/legacy.pfx`: the password is wrong"),
        ),
        (
            pfx(file("modern.pfx"), password_from_env("PODE_NOT_SET")),
            format!(
                "endpoint `https` can't use `{FOLDER}/modern.pfx`: the environment variable `PODE_NOT_SET`, which should hold its password, is not set"
            ),
        ),
        (
            pfx(file("without-key.pfx"), right()),
            format!(
                "endpoint `https` can't use `{FOLDER}/without-key.pfx`: it holds no private key"
            ),
        ),
        (
            pfx(file("without-certificate.pfx"), right()),
            format!(
                "endpoint `https` can't use `{FOLDER}/without-certificate.pfx`: it holds no certificate"
            ),
        ),
        (
            pem(file("key.pem"), file("key.pem")),
            format!("endpoint `https` can't use `{FOLDER}/key.pem`: it holds no certificate"),
        ),
        (
            pem(file("chain.pem"), file("chain.pem")),
            format!("endpoint `https` can't use `{FOLDER}/chain.pem`: it holds no private key"),
        ),
        (
            pem(file("chain.pem"), "certs/missing.pem"),
            format!(
                "endpoint `https` can't use `certs/missing.pem`: there is no file at `{here}/certs/missing.pem`"
            ),
        ),
        (
            pem(file("chain.pem"), file("key-of-another.pem")),
            format!(
                "endpoint `https` can't use `{FOLDER}/key-of-another.pem`: its key doesn't belong to the certificate"
            ),
        ),
        (
            pem(files.file("authority-first.pem"), file("key.pem")),
            format!(
                "endpoint `https` can't use `{}`: its first certificate isn't that of the key; put the server's own first, then those that signed it",
                files.file("authority-first.pem").display()
            ),
        ),
        (
            pem(file("version-1.pem"), file("key.pem")),
            format!(
                "endpoint `https` can't use `{FOLDER}/version-1.pem`: its certificate is of version 1, which clients refuse; make one of version 3, with the server's name as `subjectAltName`"
            ),
        ),
        // Whose an unsuitable certificate is comes before what it lacks.
        (
            pem(file("version-1.pem"), file("key-of-another.pem")),
            format!(
                "endpoint `https` can't use `{FOLDER}/key-of-another.pem`: its key doesn't belong to the certificate"
            ),
        ),
        (
            pem(files.file("damaged.pem"), file("key.pem")),
            format!(
                "endpoint `https` can't use `{}`: a certificate in it can't be read",
                files.file("damaged.pem").display()
            ),
        ),
        (
            pem(files.file("utf-16.pem"), file("key.pem")),
            format!(
                "endpoint `https` can't use `{}`: it is not a valid PEM file: it is in UTF-16; save it as UTF-8",
                files.file("utf-16.pem").display()
            ),
        ),
        (
            pem(file("chain.pem"), file("key-with-password.pem")),
            format!(
                "endpoint `https` can't use `{FOLDER}/key-with-password.pem`: its key has a password; add `.password(password_from_env(\"NAME\"))` to `pem(…)`"
            ),
        ),
        (
            pem(file("chain.pem"), file("key-with-password.pem")).password("public"),
            format!(
                "endpoint `https` can't use `{FOLDER}/key-with-password.pem`: the password is wrong"
            ),
        ),
        (
            pem(file("chain.pem"), file("key-with-password.pem"))
                .password(password_from_env("PODE_NOT_SET")),
            format!(
                "endpoint `https` can't use `{FOLDER}/key-with-password.pem`: the environment variable `PODE_NOT_SET`, which should hold its password, is not set"
            ),
        ),
        (
            pem(file("chain.pem"), file("key-in-the-old-way.pem")).password("secret"),
            format!(
                "endpoint `https` can't use `{FOLDER}/key-in-the-old-way.pem`: its key is encrypted in the old way (`Proc-Type: 4,ENCRYPTED`); write it anew by `openssl pkcs8 -topk8 -in old.pem -out new.pem`"
            ),
        ),
        (
            pem(file("chain.pem"), file("key-by-version-1.pem")).password("secret"),
            format!(
                "endpoint `https` can't use `{FOLDER}/key-by-version-1.pem`: its key is encrypted in a way that is not understood; write it anew by `openssl pkcs8 -topk8 -v2 aes-256-cbc -in old.pem -out new.pem`"
            ),
        ),
        (Certificate::default(), "endpoint `https` needs a certificate".to_owned()),
    ];
    for (certificate, sentence) in cases {
        assert_eq!(refused(certificate).await, sentence);
    }

    let unreadable = refused(pfx(FOLDER, right())).await;
    let beginning = format!("endpoint `https` can't use `{FOLDER}`: it can't be read: ");
    assert!(unreadable.starts_with(&beginning), "{unreadable}");
    let damaged = refused(pfx(file("chain.pem"), right())).await;
    let beginning = format!(
        "endpoint `https` can't use `{FOLDER}/chain.pem`: it is not a valid PKCS#12 file: "
    );
    assert!(damaged.starts_with(&beginning), "{damaged}");
    let no_password = refused(pfx(file("modern.pfx"), password_from_file("no.txt"))).await;
    let beginning = format!(
        "endpoint `https` can't use `{FOLDER}/modern.pfx`: the file `no.txt`, which should hold its password, can't be read: "
    );
    assert!(no_password.starts_with(&beginning), "{no_password}");
}

pode_server! {
    server found_out_late(address: pode::Address, certificates: [Certificate; 2]);
    endpoint https address.clone() { certificate: certificates[0].clone() };
    endpoint wss   address { certificate: certificates[1].clone() };
    signal LATE: String = "/";
    route GET "/" => async |_| text("hello");
}

#[tokio::test]
async fn what_only_the_run_time_knows_is_judged_at_the_start() {
    let right = || pem(file("chain.pem"), file("key.pem"));
    let other = || pfx(file("modern.pfx"), PASSWORD);
    let late = |first, second| found_out_late("127.0.0.1:0".into(), [first, second]);
    let _ = start(late(right(), right())).await;
    let _ = start(late(Certificate::default(), other())).await;
    let error = late(right(), other()).start().await.unwrap_err();
    assert_eq!(error.to_string(), "endpoint `wss` shares an address, but not a certificate");
}
