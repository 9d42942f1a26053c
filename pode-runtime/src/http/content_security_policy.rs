//! The headers by which browsers keep pages the user's own.
//!
//! A page of a view or a public folder runs the scripts that it was written
//! with, and no others: anything that gets into it later, such as a message
//! that somebody forgot to escape, stays text. Views mark their scripts with a
//! number that is used once (`nonce`). Public pages don't change, so their scripts are
//! identified by their hashes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use ring::digest::{SHA256, digest};

/// Stands in a policy for the scripts that a page was written with.
const SCRIPTS: &str = "{scripts}";

/// The policy of pages if the server declares none.
///
/// It doesn't restrict what else a page loads and requests: a stricter policy
/// would break pages that compile.
pub(crate) const OWN_SCRIPTS: &str =
    "script-src 'self' {scripts}; object-src 'none'; base-uri 'self'; frame-ancestors 'self'";

/// Adds the headers of pages and files: the policy, and that browsers don't
/// guess content types and don't tell other sites where visitors come from.
///
/// `scripts` are the sources of the page's own scripts. An empty policy adds no
/// policy header.
pub(crate) fn protect(headers: &mut HeaderMap, policy: &str, scripts: &str) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if policy.is_empty() {
        return;
    }
    match HeaderValue::try_from(policy.replace(SCRIPTS, scripts)) {
        Ok(policy) => _ = headers.insert(CONTENT_SECURITY_POLICY, policy),
        Err(_) => {
            tracing::error!("the option `content_security_policy` is not a valid header value")
        }
    }
}

/// Returns the sources of all scripts of a page that doesn't change: hashes,
/// and the addresses of external scripts.
pub(crate) fn sources_of_page(page: &str) -> String {
    // Browsers do this first.
    let page = page.replace("\r\n", "\n").replace('\r', "\n");
    let mut sources = Vec::new();
    for tag in script_tags(&page) {
        let Some(length) = end_of_tag(&page[tag..]) else {
            break;
        };
        let (attributes, behind) = page[tag..].split_at(length);
        match source_attribute(attributes) {
            Some(address) => sources.extend(address_source(address)),
            None => {
                let end = find_ignoring_case(behind, "</script").unwrap_or(behind.len());
                let hash = digest(&SHA256, &behind.as_bytes()[1..end]);
                sources.push(format!("'sha256-{}'", STANDARD.encode(hash)));
            }
        }
    }
    sources.join(" ")
}

/// Finds the end of each `<script` that begins a tag.
pub(super) fn script_tags(page: &str) -> impl Iterator<Item = usize> {
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            from += find_ignoring_case(&page[from..], "<script")? + "<script".len();
            let next = page.as_bytes().get(from)?;
            if next.is_ascii_whitespace() || matches!(next, b'>' | b'/') {
                return Some(from);
            }
        }
    })
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    let windows = text.as_bytes().windows(wanted.len());
    windows.into_iter().position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// Finds the `>` that ends a tag; a quoted one doesn't.
fn end_of_tag(attributes: &str) -> Option<usize> {
    let mut quote = None;
    for (index, byte) in attributes.bytes().enumerate() {
        match (quote, byte) {
            (None, b'>') => return Some(index),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), close) if open == close => quote = None,
            _ => {}
        }
    }
    None
}

/// Returns the value of `src`, if a tag has it.
fn source_attribute(attributes: &str) -> Option<&str> {
    let mut rest = attributes;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        let name = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '/'));
        let (name, behind) = rest.split_at(name.unwrap_or(rest.len()));
        if name.is_empty() {
            return None;
        }
        let is_source = name.eq_ignore_ascii_case("src");
        let Some(value) = behind.trim_ascii_start().strip_prefix('=') else {
            if is_source {
                return Some("");
            }
            rest = behind;
            continue;
        };
        let value = value.trim_ascii_start();
        let (value, behind) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value[1..].split_once(quote)?,
            _ => {
                value.split_at(value.find(|c: char| c.is_ascii_whitespace()).unwrap_or(value.len()))
            }
        };
        if is_source {
            return Some(value.trim());
        }
        rest = behind;
    }
}

/// Returns the address of a script at another site in the form of a policy;
/// `'self'` covers all other scripts.
fn address_source(address: &str) -> Option<String> {
    let address = address.split(['?', '#']).next().unwrap_or_default();
    let site = match address.strip_prefix("//") {
        Some(site) => site,
        None if address.starts_with("https://") || address.starts_with("http://") => address,
        None => return None,
    };
    // Other characters would end the source or the policy.
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%+!$&=".contains(c);
    site.chars().all(plain).then(|| site.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(page: &str, expected: &str) {
        assert_eq!(sources_of_page(page), expected);
    }

    /// `printf 'go()' | openssl dgst -sha256 -binary | base64`
    const GO: &str = "'sha256-5KYv+PUboo5h+0+YAtGRPbwv5d/QxzHslP4YGnUaxRw='";

    #[test]
    fn scripts_of_a_page_are_known_by_their_hashes() {
        let go = format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, b"go()")));
        assert_eq!(go, GO);
        check("<p>none</p><scripty>x</scripty>", "");
        check("<script>go()</script>", GO);
        check("<SCRIPT\ntype='a>b' async>go()</Script >", GO);
        check("<script data-src=x>go()</script><script>go()</script>", &format!("{GO} {GO}"));
        let lines = STANDARD.encode(digest(&SHA256, b"\ngo()\n"));
        check("<script>\r\ngo()\r</script>", &format!("'sha256-{lines}'"));
    }

    #[test]
    fn scripts_at_other_sites_are_known_by_their_addresses() {
        check("<script src=/own.js></script><script src='own.js'></script>", "");
        check(
            "<script async src = \"https://cdn.example/a.js?v=1\"></script><script src=//b.example/c.js>",
            "https://cdn.example/a.js b.example/c.js",
        );
        check("<script src=\"https://x.example/;script-src *\"></script>", "");
    }

    #[test]
    fn a_policy_stands_in_a_header() {
        let mut headers = HeaderMap::new();
        protect(&mut headers, "script-src {scripts}", "'nonce-7'");
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "script-src 'nonce-7'");
        let mut headers = HeaderMap::new();
        protect(&mut headers, "", "'nonce-7'");
        assert!(!headers.contains_key(CONTENT_SECURITY_POLICY));
        assert_eq!(headers[X_CONTENT_TYPE_OPTIONS], "nosniff");
        protect(&mut headers, "a\nb", "");
        assert!(!headers.contains_key(CONTENT_SECURITY_POLICY));
    }
}
