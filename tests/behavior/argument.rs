//! Arguments that are whole bodies: form or JSON, unparsed, in parts.

use pode::prelude::*;

use crate::support::{by_each_version, certificate, get, request};

#[derive(Deserialize)]
struct Point {
    x: i32,
    y: i32,
}

pode_server! {
    server bodies;
    endpoint http "127.0.0.1:0";
    endpoint https "127.0.0.1:0" { certificate: certificate() };
    route POST "/data" (data: Point) => async |_, point: Point| text(format!("{} {}", point.x, point.y));
    route PUT "/bytes/:name" (body: Vec<u8>, name: String) => async |_, body: Vec<u8>, name| text(format!("{name}: {body:?}"));
    route PUT "/text" (body: String) => async |_, body: String| text(body.to_uppercase());
    route POST "/upload" (multipart: Multipart) => upload;
    route GET "/cookie" => async |event| text(event.cookie("who are you").unwrap_or_default());
}

/// Answers with a line for each part.
async fn upload(_: WebEvent, mut form: Multipart) -> Result<impl Reply, EventError> {
    let mut lines = Vec::new();
    while let Some(mut part) = form.next().await? {
        let name = part.name().unwrap_or("?").to_owned();
        let kind = part.content_type().unwrap_or("?").to_owned();
        let Some(file) = part.file_name().map(str::to_owned) else {
            lines.push(format!("{name} = {}", part.text().await?));
            continue;
        };
        let (mut bytes, mut sum) = (0, 0_u64);
        while let Some(chunk) = part.chunk().await? {
            bytes += chunk.len();
            sum += chunk.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        }
        lines.push(format!("{name}: {file} ({kind}), {bytes} bytes, sum {sum}"));
    }
    Ok(text(lines.join("\n")))
}

#[tokio::test]
async fn the_same_route_takes_a_form_and_json() {
    for server in by_each_version(bodies).await {
        for (content_type, body) in [
            ("application/x-www-form-urlencoded", "x=1&y=2"),
            ("application/json", r#"{"x":1,"y":2}"#),
            ("application/vnd.point+json; v=1", r#"{"x":1,"y":2}"#),
        ] {
            let answer = request(
                &server,
                "POST",
                "/data",
                &[("Content-Type", content_type)],
                body.as_bytes(),
            )
            .await;
            assert_eq!((answer.status, answer.text()), (200, "1 2"), "{content_type}");
        }
    }
}

#[tokio::test]
async fn a_body_comes_as_it_is() {
    for server in by_each_version(bodies).await {
        let bytes = request(&server, "PUT", "/bytes/a", &[], &[0, 255]).await;
        assert_eq!(bytes.text(), "a: [0, 255]");
        assert_eq!(request(&server, "PUT", "/text", &[], "hé".as_bytes()).await.text(), "HÉ");
    }
}

const PARTS: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=XX");

#[tokio::test]
async fn an_upload_of_five_mebibytes_arrives_whole() {
    for server in by_each_version(bodies).await {
        let file = vec![7; 5 << 20];
        let head = "--XX\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA file\r\n\
             --XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.bin\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n";
        let body = [head.as_bytes(), &file, b"\r\n--XX--\r\n"].concat();
        let answer = request(&server, "POST", "/upload", &[PARTS], &body).await;
        let sum = 7 * (5 << 20);
        let lines = format!(
            "title = A file\nfile: a.bin (application/octet-stream), 5242880 bytes, sum {sum}"
        );
        assert_eq!((answer.status, answer.text()), (200, lines.as_str()));
    }
}

#[tokio::test]
async fn a_part_is_a_file_only_if_its_client_says_so() {
    for server in by_each_version(bodies).await {
        for (disposition, said) in [
            (r#"name="a; filename=b""#, "a; filename=b = x"),
            (r#"name="f"; x="; filename=evil""#, "f = x"),
            (r#"filename="x; name=y"; name="real""#, "real: x; name=y (?), 1 bytes, sum 120"),
            (r#"name="a\"; filename="foo\""#, r"a\: foo\ (?), 1 bytes, sum 120"),
            ("NAME=f; filename*=UTF-8''%C3%BC", "f: ü (?), 1 bytes, sum 120"),
            (
                // As .NET writes it.
                r#"name=f; filename="=?utf-8?B?w7w=?="; filename*=utf-8''%C3%BC"#,
                "f: ü (?), 1 bytes, sum 120",
            ),
        ] {
            let body = format!(
                "--XX\r\nContent-Disposition: form-data; {disposition}\r\n\r\nx\r\n--XX--\r\n"
            );
            let answer = request(&server, "POST", "/upload", &[PARTS], body.as_bytes()).await;
            assert_eq!(answer.text(), said, "{disposition}");
        }
    }
}

#[tokio::test]
async fn a_form_may_have_no_parts_and_a_part_no_headers() {
    let part = "--XX\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nx\r\n--XX--";
    for server in by_each_version(bodies).await {
        for (body, said) in [
            ("--XX--", ""),
            ("--XX--\r\n", ""),
            ("--XX\r\n\r\n--XX--", ""),
            ("--XX\r\n\r\nvalue\r\n--XX--", "? = value"),
            ("--XX\r\n\r\none\r\n--XX\r\n\r\ntwo\r\n--XX--\r\n", "? = one\n? = two"),
            (&format!("before\r\n{part}\r\nafter"), "f = x"),
        ] {
            let answer = request(&server, "POST", "/upload", &[PARTS], body.as_bytes()).await;
            assert_eq!((answer.status, answer.text()), (200, said), "{body}");
        }
    }
}

#[tokio::test]
async fn cookies_are_read_by_name() {
    for server in by_each_version(bodies).await {
        let cookies = [("Cookie", "a=b; who%20are%20you=Ada%20L.; c=d")];
        assert_eq!(request(&server, "GET", "/cookie", &cookies, b"").await.text(), "Ada L.");
        assert_eq!(get(&server, "/cookie").await.text(), "");
    }
}
