//! Clients by HTTP/2 that ask for answers and open no window for them, frame by
//! frame.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::Load;
use super::client::{GOODBYE_TIMEOUT, tcp};

/// How many answers a client waits for at once, and asks for by one connection.
const AT_ONCE: u32 = 20;
const IN_ALL: u32 = 100;

// Types of frames: RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const SETTINGS: u8 = 4;
const GO_AWAY: u8 = 7;

/// The flags `END_STREAM` and `END_HEADERS`.
const ENDS: u8 = 1 | 4;

/// `SETTINGS_INITIAL_WINDOW_SIZE` of 0.
const NO_WINDOW: &[u8] = &[0, 4, 0, 0, 0, 0];

/// `GET https://localhost/large`, encoded with the static table (RFC 7541,
/// appendix A).
const GET_LARGE: &[u8] = b"\x82\x87\x04\x06/large\x41\x09localhost";

/// Asks for large answers, and for another one whenever the server takes one back.
pub(super) async fn hoard(load: &Load) {
    let mut stream = match timeout(GOODBYE_TIMEOUT, connect(load.secure_port)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return load.counts.wrong(format!("a connect by TLS failed: {error}")),
        Err(_) => return load.counts.wrong("a connect by TLS took too long"),
    };
    load.counts.hoarders.add(1);
    let mut asked = 0;
    let mut is_told_to_go = false;
    let mut taken_back = 0;
    while taken_back < IN_ALL && !load.is_stopped() {
        while asked < IN_ALL.min(taken_back + AT_ONCE) && !is_told_to_go {
            // The end shows whether it arrives.
            let _ = stream.write_all(&frame(HEADERS, ENDS, 2 * asked + 1, GET_LARGE)).await;
            asked += 1;
        }
        let _ = stream.flush().await;
        match timeout(GOODBYE_TIMEOUT, next_frame(&mut stream)).await {
            Ok(Ok((RESET, _))) => {
                taken_back += 1;
                load.counts.taken_back.add(1);
            }
            Ok(Ok((GO_AWAY, _))) => is_told_to_go = true,
            Ok(Ok((DATA, 1..))) => load.counts.wrong("an answer came through a closed window"),
            Ok(Ok(_)) => {}
            // A restart.
            Ok(Err(_)) if is_told_to_go => return,
            Ok(Err(error)) => {
                return load.counts.wrong(format!("a client without window was cut off: {error}"));
            }
            Err(_) => return load.counts.wrong("an answer is held that no window lets through"),
        }
    }
}

/// Connects, chooses HTTP/2, and sends the preface.
async fn connect(port: u16) -> io::Result<TlsStream<tokio::net::TcpStream>> {
    let root = CertificateDer::from_pem_file(format!("{}/root.pem", crate::CERTIFICATES));
    let mut roots = RootCertStore::empty();
    roots.add(root.map_err(io::Error::other)?).map_err(io::Error::other)?;
    let mut config = ClientConfig::builder_with_provider(ring::default_provider().into())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp(port).await?).await?;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await?;
    stream.write_all(&frame(SETTINGS, 0, 0, NO_WINDOW)).await?;
    Ok(stream)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    // All payloads here are short.
    let head = [0, 0, payload.len() as u8, kind, flags];
    [&head, &stream.to_be_bytes()[..], payload].concat()
}

/// Reads a frame; returns its type, and the length of its payload.
async fn next_frame(stream: &mut TlsStream<tokio::net::TcpStream>) -> io::Result<(u8, u32)> {
    let mut head = [0; 9];
    stream.read_exact(&mut head).await?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
    stream.read_exact(&mut vec![0; length as usize]).await?;
    Ok((head[3], length))
}
