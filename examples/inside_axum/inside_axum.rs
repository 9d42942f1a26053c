//! A declared server inside an application built with axum.
//!
//! The application has its own routes; all other requests go to the declared
//! server, for its page and its signal alike. Open <http://127.0.0.1:8099/>:
//! every visit to `/own` shows up there.

use axum::Router;
use axum::routing::get;
use pode::prelude::*;

pode_server! {
    pub server visits;

    // Nothing listens here: requests come from axum. The endpoints declare that
    // both pages and signals are served.
    endpoint http "127.0.0.1:8099";
    endpoint ws   "127.0.0.1:8099";

    signal VISITS: u32 = "/visits";

    route GET "/" => async |_| html(PAGE);
}

const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Inside axum</title>
<style>body { font: 1.2rem system-ui; max-width: 30rem; margin: 20vh auto; padding: 0 1rem }</style>
<p>This page is pode's; <a href="/own" target="other">that one</a> is axum's.</p>
<p>Visits to it: <output id="visits">0</output></p>
<script type="module">
  import { signal } from "/_pode/pode.js";
  signal("/visits").on((count) => { visits.textContent = count; });
</script>
</html>"#;

/// Makes the application; a task, a database or anything else can send signals
/// through the same handle.
pub fn application() -> pode::Result<Router> {
    let server = visits();
    let signals = server.signals();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
    let own = get(async move || {
        let visits = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
        match signals.send(VISITS, &visits).await {
            Ok(()) => format!("visit number {visits}"),
            Err(error) => error.to_string(),
        }
    });
    Ok(Router::new().route("/own", own).fallback_service(server.into_service()?))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8099").await?;
    println!("open http://{}/", listener.local_addr()?);
    axum::serve(listener, application()?).await?;
    Ok(())
}
