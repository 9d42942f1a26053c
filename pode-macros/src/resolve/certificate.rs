//! Certificates: the files that must exist while compiling.
//!
//! The option's value is an expression, whose words are functions. Only
//! expressions with literal file names are checked here; any other makes a
//! certificate at run time, when it is checked.

use pode_core::check::Code;
use pode_core::model::{Certificate, CertificateFile, CertificateFileKind, Listed};
use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{Expr, LitStr};

use super::Resolver;
use super::options::text;
use super::views::is_outside;
use crate::files;
use crate::syntax::Options;

/// The option of endpoints that names a certificate.
pub(crate) const CERTIFICATE: &str = "certificate";

/// The option of endpoints that names the authorities of client certificates.
pub(crate) const CLIENT_CERTIFICATE: &str = "client_certificate";

/// The texts in the expression of one certificate.
#[derive(Default)]
struct Texts<'written> {
    files: Vec<(CertificateFileKind, &'written LitStr)>,
    /// Literal passwords in the code.
    passwords: Vec<&'written LitStr>,
    at_run_time: bool,
}

impl<'written> Texts<'written> {
    /// Parses `pfx(…)` and `pem(…)`, `required(…)` and `optional(…)`, with or
    /// without `.password(…)` and `.at_run_time()`.
    fn of(value: &'written Expr) -> Texts<'written> {
        match value {
            Expr::MethodCall(call) if call.method == "at_run_time" => {
                Texts { at_run_time: true, ..Texts::of(&call.receiver) }
            }
            Expr::MethodCall(call) if call.method == "password" => {
                let mut texts = Texts::of(&call.receiver);
                texts.passwords.extend(call.args.first().and_then(text));
                texts
            }
            Expr::Call(call) => {
                let texts: Vec<_> = call.args.iter().map(text).collect();
                let file = |kind, index: usize| {
                    texts.get(index).copied().flatten().map(|text| (kind, text))
                };
                let Expr::Path(word) = &*call.func else { return Texts::default() };
                let is = |name| word.path.is_ident(name);
                if is("pfx") {
                    Texts {
                        files: file(CertificateFileKind::Pfx, 0).into_iter().collect(),
                        passwords: texts.get(1).copied().flatten().into_iter().collect(),
                        at_run_time: false,
                    }
                } else if is("pem") {
                    let chain = file(CertificateFileKind::Chain, 0);
                    let key = file(CertificateFileKind::Key, 1);
                    Texts { files: chain.into_iter().chain(key).collect(), ..Texts::default() }
                } else if is("required") || is("optional") {
                    let file = file(CertificateFileKind::Authorities, 0);
                    Texts { files: file.into_iter().collect(), ..Texts::default() }
                } else {
                    Texts::default()
                }
            }
            _ => Texts::default(),
        }
    }
}

impl Resolver<'_> {
    /// Reads the files of a certificate, or of several in brackets, or of the
    /// authorities of client certificates. The inner `None` is an endpoint
    /// without such an option.
    pub(super) fn certificate(
        &mut self,
        options: &Options,
        option: &str,
    ) -> Option<Option<Certificate>> {
        let Some(field) = options.fields.iter().find(|field| field.name == option) else {
            return Some(None);
        };
        let members = match &field.value {
            Expr::Array(list) => list.elems.iter().collect(),
            one => vec![one],
        };
        let (mut files, mut passwords, mut list) = (Vec::new(), Vec::new(), Vec::new());
        for member in members {
            let texts = Texts::of(member);
            let mut chain = None;
            for (kind, path) in texts.files.iter().filter(|_| !texts.at_run_time) {
                if *kind == CertificateFileKind::Chain {
                    chain = Some(files.len());
                }
                files.push(self.certificate_file(*kind, path)?);
            }
            passwords.extend(texts.passwords.iter().map(|text| self.places.add(text.span())));
            let place = self.places.add(member.span());
            list.push(Listed { place, written: member.to_token_stream().to_string(), chain });
        }
        Some(Some(Certificate {
            place: self.places.add(field.name.span()),
            written: field.value.to_token_stream().to_string(),
            passwords,
            files,
            list: matches!(field.value, Expr::Array(_)).then_some(list),
        }))
    }

    fn certificate_file(
        &mut self,
        kind: CertificateFileKind,
        written: &LitStr,
    ) -> Option<CertificateFile> {
        let path = self.text(written);
        if is_outside(&path.text) {
            let message = format!("file `{}` is not inside this crate", path.text);
            let help = "write a path relative to the crate's `Cargo.toml`, or add `.at_run_time()`";
            return self.mistake(Code::CertificateOutside, written.span(), message, help);
        }
        if let Some((message, help)) = files::unknown_crate(&format!("file `{}`", path.text)) {
            return self.mistake(Code::CertificateFile, written.span(), message, help);
        }
        let content = match kind {
            CertificateFileKind::Key => files::is_there(&path.text).then(Vec::new),
            CertificateFileKind::Pfx
            | CertificateFileKind::Chain
            | CertificateFileKind::Authorities => files::read(&path.text),
        };
        let siblings = files::files_beside(&path.text);
        Some(CertificateFile { path, kind, content, siblings })
    }
}
