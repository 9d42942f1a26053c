//! A request that a test makes.

use std::pin::Pin;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::client::Client;
use super::exchange::{Endpoints, Head, head_methods, read};
use super::json;
use super::patience::OrFail;
use super::response::Response;
use crate::app::event::CLIENT_ID;

/// A request, made by [`get`](super::TestServer::get) and its like; it is sent when
/// this is awaited.
///
/// It goes to the first endpoint that takes requests, over a connection of its own,
/// by HTTP/1.1. By default it comes from no page, and asks for `localhost` or for
/// the first of the endpoint's `hosts`. Of several bodies the last is sent. The type
/// of a body is its `Content-Type` unless a [`header`](Self::header) says another,
/// before or after it.
///
/// # Panics
///
/// When awaited: what was given isn't valid, or the response doesn't come in time.
#[must_use = "a request is sent when it is awaited"]
#[derive(Debug)]
pub struct Request {
    pub(super) endpoints: Endpoints,
    pub(super) head: Head,
    pub(super) body: Bytes,
    /// That of the body, for which a header of the test stands in.
    pub(super) content_type: Option<String>,
    /// The parts of a form so far.
    pub(super) parts: Vec<u8>,
}

/// What separates the parts of a form.
const BOUNDARY: &str = "pode-test-7MA4YWxkTrZu0gW";

head_methods!(Request);

impl Request {
    /// Says that a client of a signal sends it, as
    /// [`signal_client`](crate::WebEvent::signal_client) reads it.
    pub fn as_client<Out, In>(self, client: &Client<Out, In>) -> Request {
        self.header(CLIENT_ID.as_str(), client.id())
    }

    /// Sends the fields of a form: a struct, or pairs such as `[("name", "Ada")]`.
    pub fn form<T: Serialize + ?Sized>(self, form: &T) -> Request {
        let what = format_args!("no form is made of {}", json::name::<T>());
        let body = serde_html_form::to_string(form).or_fail(self.head.patience, what);
        self.typed("application/x-www-form-urlencoded", body)
    }

    /// Sends JSON.
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Request {
        let body = json::write(value, self.head.patience);
        self.typed("application/json", body)
    }

    /// Sends a body, with no `Content-Type` unless a header says it.
    pub fn body(self, body: impl Into<Bytes>) -> Request {
        Request { body: body.into(), content_type: None, parts: Vec::new(), ..self }
    }

    fn typed(self, content_type: &str, body: String) -> Request {
        Request { content_type: Some(content_type.to_owned()), ..self.body(body) }
    }

    /// Adds a field to a form in parts (`multipart/form-data`).
    pub fn part(self, name: &str, value: &str) -> Request {
        self.add_part(&format!("name=\"{name}\""), value.as_bytes())
    }

    /// Adds a file to a form in parts.
    pub fn file(self, name: &str, file_name: &str, content: impl AsRef<[u8]>) -> Request {
        let names = format!(
            "name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: application/octet-stream"
        );
        self.add_part(&names, content.as_ref())
    }

    fn add_part(mut self, names: &str, content: &[u8]) -> Request {
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {names}\r\n\r\n");
        self.parts.extend([head.as_bytes(), content, b"\r\n"].concat());
        self
    }

    async fn send(mut self) -> Response {
        if !self.parts.is_empty() {
            self.parts.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
            self.body = self.parts.into();
            self.content_type = Some(format!("multipart/form-data; boundary={BOUNDARY}"));
        }
        let Request { endpoints, mut head, body, content_type, .. } = self;
        if let Some(content_type) = content_type {
            head.default_header(CONTENT_TYPE.as_str(), &content_type);
        }
        let patience = head.patience;
        let endpoint = endpoints.find(false, head.endpoint.as_deref().as_slice(), patience);
        let asked = format!("{} {}", head.method, head.target);
        let answered = async { read(head.send(endpoint, body).await, &asked, patience).await };
        patience.wait(format!("the response to {asked}"), answered).await
    }
}

impl IntoFuture for Request {
    type Output = Response;
    type IntoFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}
