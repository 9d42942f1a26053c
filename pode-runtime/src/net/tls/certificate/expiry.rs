//! The validity of certificates, and what is logged of its end.

use jiff::{SignedDuration, Timestamp};
use rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

/// How long before its expiry a certificate is logged. One so short-lived that
/// this would be most of its life is logged in its last third.
const AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The validity of a certificate, and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    /// Its first server name, or else its subject.
    name: String,
    from: Timestamp,
    until: Timestamp,
}

/// What the log has to say of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ExpiryNotice {
    pub(crate) has_expired: bool,
    pub(crate) sentence: String,
}

impl Validity {
    /// Reads the validity; `None` if the certificate is so odd that it can't be
    /// read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Validity> {
        let certificate = Certificate::from_der(certificate).ok()?;
        let told = certificate.tbs_certificate();
        let names = told.get_extension::<SubjectAltName>().ok().flatten();
        let first = names.and_then(|(_, SubjectAltName(names))| {
            names.into_iter().find_map(|name| match name {
                GeneralName::DnsName(name) => Some(name.to_string()),
                _ => None,
            })
        });
        let name = first.unwrap_or_else(|| told.subject().to_string());
        let moment = |time: x509_cert::time::Time| {
            let seconds = time.to_unix_duration().as_secs();
            Timestamp::from_second(i64::try_from(seconds).ok()?).ok()
        };
        let validity = told.validity();
        Some(Validity {
            name,
            from: moment(validity.not_before)?,
            until: moment(validity.not_after)?,
        })
    }

    pub(crate) fn until(&self) -> Timestamp {
        self.until
    }

    /// Returns what the log has to say at a time, if anything.
    pub(super) fn notice(&self, file: &str, now: Timestamp) -> Option<ExpiryNotice> {
        let Validity { name, from, until } = self;
        let left = until.duration_since(now);
        if left <= AHEAD.min(until.duration_since(*from) / 3) {
            let until = until.strftime("%Y-%m-%d %H:%M UTC");
            let (has_expired, ends) = match left <= SignedDuration::ZERO {
                true => {
                    (true, format!("has expired: it was good until {until}, and clients refuse it"))
                }
                false => (false, format!("expires {}: it is good until {until}", in_time(left))),
            };
            // In Debug form, since whoever signs certificates chooses the
            // names.
            let sentence = format!(
                "the certificate of {name:?} in `{file}` {ends}; \
                 put a new one into its place, the server needs no restart"
            );
            return Some(ExpiryNotice { has_expired, sentence });
        }
        None
    }
}

fn in_time(left: SignedDuration) -> String {
    match left.as_hours() {
        hours @ 48.. => format!("in {} days", hours / 24),
        hours @ 2.. => format!("in {hours} hours"),
        _ => "within two hours".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(moment: &str) -> Timestamp {
        moment.parse().expect("a moment")
    }

    fn check(from: &str, until: &str, now: &str, says: Option<(bool, &str)>) {
        let validity =
            Validity { name: "shop.example".to_owned(), from: at(from), until: at(until) };
        let notice = validity.notice("chain.pem", at(now));
        let found = notice.as_ref().map(|notice| (notice.has_expired, notice.sentence.as_str()));
        let says = says.map(|(has_expired, ends)| {
            let sentence = format!(
                "the certificate of \"shop.example\" in `chain.pem` {ends}; \
                 put a new one into its place, the server needs no restart"
            );
            (has_expired, sentence)
        });
        assert_eq!(found, says.as_ref().map(|(expired, sentence)| (*expired, sentence.as_str())));
    }

    #[test]
    fn an_end_is_told_of_well_ahead() {
        let year = |now, says| check("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", now, says);
        year("2026-12-01T23:59:59Z", None);
        year(
            "2026-12-02T00:00:00Z",
            Some((false, "expires in 30 days: it is good until 2027-01-01 00:00 UTC")),
        );
        year(
            "2026-12-30T23:00:00Z",
            Some((false, "expires in 25 hours: it is good until 2027-01-01 00:00 UTC")),
        );
        year(
            "2026-12-31T23:00:00Z",
            Some((false, "expires within two hours: it is good until 2027-01-01 00:00 UTC")),
        );
        year(
            "2027-01-01T00:00:00Z",
            Some((
                true,
                "has expired: it was good until 2027-01-01 00:00 UTC, and clients refuse it",
            )),
        );
    }

    #[test]
    fn one_that_lives_short_is_told_of_in_its_last_third() {
        let week = |now, says| check("2026-01-01T00:00:00Z", "2026-01-07T00:00:00Z", now, says);
        week("2026-01-04T23:59:59Z", None);
        week(
            "2026-01-05T00:00:00Z",
            Some((false, "expires in 2 days: it is good until 2026-01-07 00:00 UTC")),
        );
    }

    #[test]
    fn names_of_others_write_no_lines() {
        let name = "a\nERROR all is lost".to_owned();
        let validity =
            Validity { name, from: at("2026-01-01T00:00:00Z"), until: at("2026-01-02T00:00:00Z") };
        let notice =
            validity.notice("chain.pem", at("2026-01-03T00:00:00Z")).expect("it has expired");
        assert!(!notice.sentence.contains('\n'), "{}", notice.sentence);
    }
}
