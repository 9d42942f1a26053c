//! What helps where a Cargo feature of `pode` is off, for the macro and for the
//! run time.

/// Returns what to write in `Cargo.toml` for a feature, and what would help
/// instead of it.
///
/// ```
/// # use pode_core::feature::advice;
/// let views = advice("views");
/// assert_eq!(views, "write `features = [\"views\"]` in `Cargo.toml`, in the line of `pode`");
/// ```
pub fn advice(feature: &str) -> String {
    let instead = match feature {
        "pfx" => {
            "; or convert the file, by `openssl pkcs12 -in file.pfx -nodes -out file.pem` (and \
             `-legacy`, if an older tool made it), and write `pem(\"file.pem\", \"file.pem\")`"
        }
        "encrypted-keys" => {
            "; or write the key without a password, by `openssl pkey -in key.pem -out plain.pem`"
        }
        _ => "",
    };
    format!("write `features = [\"{feature}\"]` in `Cargo.toml`, in the line of `pode`{instead}")
}
