//! Certificates: the files that must be there while compiling.
//!
//! The option's value is an expression, whose words are functions. Only those
//! whose files are written out are looked at here; any other expression makes
//! a certificate at run time, when it is judged.

use pode_core::check::Code;
use pode_core::model::{Certificate, CertificateFile, CertificateFileKind};
use quote::ToTokens;
use syn::{Expr, LitStr};

use super::Resolver;
use super::options::text;
use super::views::is_outside;
use crate::files;
use crate::syntax::Options;

/// The option of endpoints that names a certificate.
pub(crate) const CERTIFICATE: &str = "certificate";

/// The texts in a certificate's expression.
#[derive(Default)]
struct Texts<'written> {
    files: Vec<(CertificateFileKind, &'written LitStr)>,
    /// A password that stands in the code.
    password: Option<&'written LitStr>,
    at_run_time: bool,
}

impl<'written> Texts<'written> {
    /// Understands `pfx(…)` and `pem(…)`, with or without `.at_run_time()`.
    fn of(value: &'written Expr) -> Texts<'written> {
        match value {
            Expr::MethodCall(call) if call.method == "at_run_time" => {
                Texts { at_run_time: true, ..Texts::of(&call.receiver) }
            }
            Expr::Call(call) => {
                let texts: Vec<_> = call.args.iter().map(text).collect();
                let file = |kind, index: usize| {
                    texts.get(index).copied().flatten().map(|text| (kind, text))
                };
                match &*call.func {
                    Expr::Path(word) if word.path.is_ident("pfx") => Texts {
                        files: file(CertificateFileKind::Pfx, 0).into_iter().collect(),
                        password: texts.get(1).copied().flatten(),
                        at_run_time: false,
                    },
                    Expr::Path(word) if word.path.is_ident("pem") => {
                        let chain = file(CertificateFileKind::Chain, 0);
                        let key = file(CertificateFileKind::Key, 1);
                        Texts { files: chain.into_iter().chain(key).collect(), ..Texts::default() }
                    }
                    _ => Texts::default(),
                }
            }
            _ => Texts::default(),
        }
    }
}

impl Resolver<'_> {
    /// Looks at the files of a certificate; the inner `None` is an endpoint
    /// without one.
    pub(super) fn certificate(&mut self, options: &Options) -> Option<Option<Certificate>> {
        let Some(field) = options.fields.iter().find(|field| field.name == CERTIFICATE) else {
            return Some(None);
        };
        let texts = Texts::of(&field.value);
        let mut files = Vec::new();
        if !texts.at_run_time {
            for (kind, path) in texts.files {
                files.push(self.certificate_file(kind, path)?);
            }
        }
        Some(Some(Certificate {
            place: self.places.add(field.name.span()),
            written: field.value.to_token_stream().to_string(),
            password: texts.password.map(|password| self.places.add(password.span())),
            files,
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
        let content = match kind {
            CertificateFileKind::Key => files::is_there(&path.text).then(Vec::new),
            CertificateFileKind::Pfx | CertificateFileKind::Chain => files::read(&path.text),
        };
        let siblings = files::files_beside(&path.text);
        Some(CertificateFile { path, kind, content, siblings })
    }
}
