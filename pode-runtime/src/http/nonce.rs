//! Numbers that are used once: they mark the scripts that a view was written
//! with.

use ring::rand::{SecureRandom, SystemRandom};

use crate::http::content_security_policy::script_tags;

/// Returns 128 unpredictable bits, as hexadecimal digits.
pub(crate) fn nonce() -> String {
    let mut bits = [0; 16];
    SystemRandom::new().fill(&mut bits).expect("the system has random numbers");
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Marks each script of a page with a nonce.
pub(crate) fn with_nonce(page: &str, nonce: &str) -> String {
    let mut marked = String::with_capacity(page.len());
    let mut end = 0;
    for tag in script_tags(page) {
        marked.push_str(&page[end..tag]);
        // Without quotes, so that it may also stand inside a string of a
        // script.
        marked.push_str(" nonce=");
        marked.push_str(nonce);
        end = tag;
    }
    marked.push_str(&page[end..]);
    marked
}

/// Returns the source of scripts with a nonce.
pub(crate) fn source_of_nonce(nonce: &str) -> String {
    format!("'nonce-{nonce}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_of_a_view_bear_a_nonce() {
        assert_eq!(
            with_nonce("<script>a</script><SCRIPT src=b></script><scripts>", "7"),
            "<script nonce=7>a</script><SCRIPT nonce=7 src=b></script><scripts>"
        );
        assert_eq!((nonce().len(), nonce() == nonce()), (32, false));
    }
}
