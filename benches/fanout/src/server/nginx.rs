//! nginx with the module Nchan, to which this program publishes by HTTP. Only
//! nginx is measured; this program's work isn't, though it shares the core.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, io, process, thread};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::Mutex;

use super::{Publisher, listen, on_tokio};
use crate::process::raise_descriptor_limit;

/// How long nginx may take to listen.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts nginx in its own mount namespace, where `/var/lib/nginx` can be written
/// to, as Nchan requires; no other process sees it. When this program ends, nginx
/// ends, too.
const START: &str = "mount -t tmpfs none /var/lib && mkdir /var/lib/nginx && \
                     exec setpriv --pdeathsig KILL \"$0\" -p \"$1\" -e stderr -c nginx.conf";

/// Runs nginx from where its packages were unpacked, until standard input ends;
/// with a history, it keeps 10,000 messages. Otherwise as [`serve`](super::serve).
///
/// # Errors
///
/// nginx doesn't start, or the system refuses something.
pub fn serve(
    packages: &Path,
    paths: usize,
    certificate: Option<&Path>,
    history: bool,
) -> io::Result<()> {
    raise_descriptor_limit()?;
    on_tokio(paths, async {
        let (nginx, port, publish_port) = Nginx::start(packages, certificate, history)?;
        let connection = BufReader::new(TcpStream::connect(("127.0.0.1", publish_port)).await?);
        connection.get_ref().set_nodelay(true)?;
        let publishing = Arc::new(Mutex::new(Publishing { connection, last_id: None }));
        Ok((port, Running { nginx: Arc::new(nginx), publishing, history }))
    })
}

/// The process, and the folder in which it runs. Dropping it ends both.
struct Nginx {
    child: Child,
    folder: PathBuf,
}

impl Nginx {
    /// Also returns the port for clients, and the port for publishing.
    fn start(
        packages: &Path,
        certificate: Option<&Path>,
        history: bool,
    ) -> io::Result<(Nginx, u16, u16)> {
        // Free ports. If others take them before nginx does, it doesn't start.
        let (clients, publisher) = (listen()?, listen()?);
        let (port, publish_port) = (clients.local_addr()?.port(), publisher.local_addr()?.port());
        drop((clients, publisher));
        let folder = packages.join(format!("run-{}", process::id()));
        fs::create_dir_all(&folder)?;
        let configuration = configuration(packages, port, publish_port, certificate, history);
        fs::write(folder.join("nginx.conf"), configuration)?;
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", START]);
        command.arg(packages.join("usr/sbin/nginx")).arg(&folder);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let mut nginx = Nginx { child, folder };
        let end = Instant::now() + START_TIMEOUT;
        while std::net::TcpStream::connect(("127.0.0.1", publish_port)).is_err() {
            if nginx.child.try_wait()?.is_some() || Instant::now() > end {
                return Err(io::Error::other("nginx doesn't start"));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok((nginx, port, publish_port))
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // On a graceful stop, it would wait for its clients.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// One process that does all the work; apart from that and the limits, the
/// configuration only sets paths and addresses.
fn configuration(
    packages: &Path,
    port: u16,
    publish_port: u16,
    certificate: Option<&Path>,
    history: bool,
) -> String {
    let buffer = match history {
        true => "nchan_message_buffer_length 10000; nchan_message_timeout 1h;",
        false => "",
    };
    let module = packages.join("usr/lib/nginx/modules/ngx_nchan_module.so");
    let module = module.display();
    let (ssl, certificate) = match certificate.map(Path::display) {
        Some(folder) => (
            " ssl",
            format!(
                "ssl_protocols TLSv1.3; ssl_certificate \"{folder}/certificate.pem\"; \
                 ssl_certificate_key \"{folder}/key.pem\";"
            ),
        ),
        None => ("", String::new()),
    };
    format!(
        "load_module \"{module}\";
user root;
daemon off;
master_process off;
pid nginx.pid;
worker_rlimit_nofile 30000;
events {{ worker_connections 30000; }}
http {{
    access_log off;
    tcp_nodelay on;
    client_body_buffer_size 128k;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port} backlog=4096{ssl};
        {certificate}
        location ~ ^/(\\d+)$ {{
            nchan_subscriber websocket;
            nchan_subscriber_first_message newest;
            nchan_channel_id $1;
        }}
    }}
    server {{
        listen 127.0.0.1:{publish_port};
        location ~ ^/(\\d+)$ {{
            nchan_publisher http;
            {buffer}
            nchan_channel_id $1;
        }}
    }}
}}
"
    )
}

#[derive(Clone)]
struct Running {
    nginx: Arc<Nginx>,
    /// Messages are published one after the other.
    publishing: Arc<Mutex<Publishing>>,
    history: bool,
}

struct Publishing {
    connection: BufReader<TcpStream>,
    /// The id that the last message got.
    last_id: Option<String>,
}

impl Publisher for Running {
    fn process(&self) -> u32 {
        self.nginx.child.id()
    }

    /// Waits for the answer, whose body tells the message's id.
    async fn publish(&self, path: usize, text: String) -> io::Result<()> {
        let body = serde_json::to_string(&text)?;
        let length = body.len();
        let request = format!(
            "POST /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let Publishing { connection, last_id } = &mut *self.publishing.lock().await;
        connection.write_all(request.as_bytes()).await?;
        let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
        connection.read_line(&mut first).await?;
        while line != "\r\n" {
            line.clear();
            if connection.read_line(&mut line).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(value) = line.strip_prefix("Content-Length: ") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut rest = vec![0; length];
        connection.read_exact(&mut rest).await?;
        let rest = String::from_utf8_lossy(&rest);
        let id = rest.lines().find_map(|line| line.strip_prefix("last message id: "));
        *last_id = id.map(str::to_owned);
        // 201 with subscribers, or 202 without.
        match first.starts_with("HTTP/1.1 20") {
            true => Ok(()),
            false => Err(io::Error::other(first)),
        }
    }

    fn position(&self) -> Option<String> {
        let publishing = self.publishing.try_lock().ok().filter(|_| self.history)?;
        Some(format!("last_event_id={}", publishing.last_id.as_ref()?))
    }
}
