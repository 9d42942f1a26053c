//! Where the passwords of certificates come from.

use std::fmt;
use std::path::{Path, PathBuf};

use super::files::resolve;
use zeroize::Zeroizing;

use crate::base::error::CertificateError;

/// Takes a password from an environment variable when the server starts.
pub fn password_from_env(name: impl Into<String>) -> Password {
    Password { source: PasswordSource::Variable(name.into()) }
}

/// Takes a password from a file when the server starts and when the file has
/// changed. A line break at its end is not part of the password.
///
/// The path is resolved like that of a certificate.
pub fn password_from_file(file: impl Into<PathBuf>) -> Password {
    Password { source: PasswordSource::File(file.into()) }
}

/// Where a password comes from. The password itself is never shown.
///
/// A string is a password, too, but a password in the code is in every copy of
/// the program: the compiler warns of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Password {
    source: PasswordSource,
}

#[derive(Clone, PartialEq, Eq)]
enum PasswordSource {
    Text(Zeroizing<String>),
    Variable(String),
    File(PathBuf),
}

impl From<&str> for Password {
    fn from(text: &str) -> Self {
        Password::from(text.to_owned())
    }
}

impl From<String> for Password {
    fn from(text: String) -> Self {
        Password { source: PasswordSource::Text(text.into()) }
    }
}

/// Shows where the password comes from, unless that is the secret itself.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            PasswordSource::Text(_) => f.write_str("Password(..)"),
            PasswordSource::Variable(name) => write!(f, "password_from_env({name:?})"),
            PasswordSource::File(file) => write!(f, "password_from_file({file:?})"),
        }
    }
}

impl Password {
    /// Returns the file that holds it, if any.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.source {
            PasswordSource::File(file) => Some(file),
            PasswordSource::Text(_) | PasswordSource::Variable(_) => None,
        }
    }

    /// Has a variable replaced by its value here. Returns whether it can be read
    /// then.
    #[cfg(feature = "test")]
    pub(super) fn complete(
        &mut self,
        variables: &std::collections::HashMap<String, String>,
    ) -> bool {
        let PasswordSource::Variable(name) = &self.source else { return true };
        match variables.get(name) {
            Some(value) => {
                *self = value.as_str().into();
                true
            }
            None => std::env::var_os(name).is_some(),
        }
    }

    pub(super) fn read(
        &self,
        folder: Option<&Path>,
    ) -> Result<Zeroizing<String>, CertificateError> {
        match &self.source {
            PasswordSource::Text(text) => Ok(text.clone()),
            // The error would show the value if that is not text.
            PasswordSource::Variable(name) => std::env::var(name)
                .map(Zeroizing::new)
                .map_err(|_| CertificateError::PasswordVariable { name: name.clone() }),
            PasswordSource::File(file) => {
                let text = std::fs::read_to_string(resolve(folder, file)).map_err(|source| {
                    CertificateError::PasswordFile { file: file.display().to_string(), source }
                })?;
                let text = Zeroizing::new(text);
                // Some editors begin with a byte order mark.
                let line = text.strip_prefix('\u{feff}').unwrap_or(&text);
                let line = line.strip_suffix('\n').unwrap_or(line);
                Ok(line.strip_suffix('\r').unwrap_or(line).to_owned().into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_may_say_that_it_is_utf_8() {
        let file = std::env::temp_dir().join(format!("pode-marked-{}", std::process::id()));
        std::fs::write(&file, "\u{feff}secret\r\n").expect("a file");
        let read = password_from_file(&file).read(None);
        std::fs::remove_file(&file).expect("a file");
        assert_eq!(read.expect("a password").as_str(), "secret");
    }

    #[test]
    fn a_password_is_never_shown() {
        assert_eq!(format!("{:?}", Password::from("secret")), "Password(..)");
        assert_eq!(format!("{:?}", password_from_env("NAME")), "password_from_env(\"NAME\")");
    }
}
