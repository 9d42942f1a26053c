//! Secrets aren't left behind in memory that was freed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use pode::Protocol;
use pode::prelude::*;

use crate::alone;
use crate::support::{Client, start, within};

pode_server! {
    server signed(secret: Vec<u8>) { client_ids: signed_by(secret).strict() };
    endpoint ws "127.0.0.1:0";
    #[allow(dead_code, reason = "nobody sends to it")]
    signal NEWS: String = "/";
}

pode_server! {
    server locked(password: PathBuf);
    endpoint https "127.0.0.1:0" {
        certificate: pem("behavior/certificates/chain.pem", "behavior/certificates/key-with-password.pem")
            .password(password_from_file(password))
    };
    route GET "/" => async |_| text("here");
}

/// A secret that isn't in memory as it is.
struct Masked([u8; LENGTH]);

const LENGTH: usize = 64;

/// How much of its end is looked for: an allocator writes to the beginning of
/// what was freed.
const END: usize = 32;

const MASK: u8 = 0x80;

impl Masked {
    fn new(first: u8) -> Masked {
        Masked(std::array::from_fn(|index| (first + (index * 7 % 13) as u8) | MASK))
    }

    fn reveal(&self) -> Vec<u8> {
        self.0.iter().map(|byte| byte & !MASK).collect()
    }

    /// Counts where it stands in the memory that this process may write to.
    fn copies(&self) -> usize {
        let memory = File::open("/proc/self/mem").unwrap();
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mut copies = 0;
        let mut buffer = vec![0; 1 << 20];
        for line in maps.lines() {
            let mut words = line.split_whitespace();
            let (range, rights) = (words.next().unwrap(), words.next().unwrap());
            let name = words.nth(3).unwrap_or_default();
            if !rights.starts_with("rw") || name.starts_with('/') {
                continue;
            }
            let (start, end) = range.split_once('-').unwrap();
            let [mut at, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
            while at < end {
                let length = buffer.len().min((end - at) as usize);
                // A part may be gone by now.
                let read = memory.read_at(&mut buffer[..length], at).unwrap_or(0);
                let found = buffer[..read].windows(END).filter(|window| self.is(window)).count();
                copies += found;
                at += (length as u64).saturating_sub(END as u64 - 1).max(1);
            }
            // So that none is found in it.
            buffer.fill(0);
        }
        copies
    }

    fn is(&self, bytes: &[u8]) -> bool {
        bytes
            .iter()
            .zip(&self.0[LENGTH - END..])
            .all(|(byte, masked)| byte | MASK == *masked && byte & MASK == 0)
    }
}

#[test]
fn secrets_are_gone_with_what_has_them() {
    alone(secrets_come_and_go());
}

async fn secrets_come_and_go() {
    let secret = Masked::new(b'A');
    let server = start(signed(secret.reveal())).await;
    let address = server.address(Protocol::Ws).unwrap();
    assert!(secret.copies() > 0, "the search finds what is there");
    for _ in 0..10 {
        let (client, headers) = Client::handshake(address, "/", &[]).await.unwrap();
        assert!(headers["x-pode-signal-client-id"].starts_with("s:"));
        client.leave(1000).await;
    }
    server.stop().await;
    // Its last tasks end behind it.
    let gone = async {
        while secret.copies() > 0 {
            tokio::task::yield_now().await;
        }
    };
    within(gone, "the end of what has the secret").await;

    let password = Masked::new(b'a');
    let file = std::env::temp_dir().join(format!("pode-password-{}", std::process::id()));
    let mut revealed = password.reveal();
    std::fs::write(&file, &revealed).unwrap();
    revealed.fill(0);
    std::hint::black_box(&revealed);
    let error = locked(file.clone()).start().await.unwrap_err();
    std::fs::remove_file(file).unwrap();
    assert!(format!("{error:?}").contains("the password is wrong"), "{error:?}");
    assert_eq!(password.copies(), 0);
}
