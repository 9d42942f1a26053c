//! Which words need a Cargo feature, each by itself.

use proc_macro2::TokenStream;

use crate::feature::with_features_of;

/// Returns the features that a declaration lacks if only these are on.
fn lacking(declaration: &str, on: &[&str]) -> Vec<String> {
    let block = format!("server example; {declaration}");
    let tokens: TokenStream = block.parse().expect("it is made of tokens");
    let manifest = on.iter().map(|feature| format!("\"{feature}\"")).collect::<String>();
    let expansion = with_features_of(Some(&manifest), || crate::compile(tokens)).to_string();
    let named = expansion.split("needs the feature `").skip(1);
    named.map(|rest| rest.split('`').next().expect("a name").to_owned()).collect()
}

#[track_caller]
fn check(declaration: &str, needed: &[&str]) {
    for count in 0..needed.len() {
        let lacks = lacking(declaration, &needed[..count]);
        assert_eq!(lacks.first().map(String::as_str), Some(needed[count]), "{declaration}");
    }
    assert_eq!(lacking(declaration, needed), [""; 0], "{declaration}");
}

#[test]
fn each_word_needs_its_features_and_no_others() {
    check("endpoint https 8443 { certificate: self_signed() };", &["tls"]);
    check("endpoint wss 8443 { certificate: settings.certificate };", &["tls"]);
    check("endpoint ws 8091 { certificate: self_signed() };", &["tls"]);
    check("endpoint http 8091 { client_certificate: required(\"a.pem\") };", &["tls"]);
    check("endpoint wss 8443 { certificate: pfx(\"a\", \"b\").at_run_time() };", &["tls", "pfx"]);
    check("endpoint wss 8443 { certificate: pfx(\"a\", \"b\").password(c) };", &["tls", "pfx"]);
    check(
        "endpoint wss 8443 { certificate: [self_signed(), pem(a, b).at_run_time().password(c)] };",
        &["tls", "encrypted-keys"],
    );
    check("views \"views\";", &["views"]);
    check("route GET \"/\" => view \"index\";", &["views"]);
    check("route POST \"/\" (multipart: Multipart) => upload;", &["multipart"]);
    check("schedule \"nightly\" cron \"@daily\" => nightly;", &["schedule"]);
    check("upstream NEWS: News = \"ws://news.example\" => relay;", &["upstream"]);
    check("upstream NEWS: News = settings.news => relay;", &["upstream"]);
    check("upstream NEWS: News = \"wss://news.example\" => relay;", &["upstream", "tls"]);
    check(
        "upstream NEWS: News = url { roots: roots_of(\"a.pem\") } => relay;",
        &["upstream", "tls"],
    );

    check("backplane redis settings.redis_url;", &["redis"]);
    check("backplane redis \"redis://localhost\";", &["redis"]);
    check("backplane redis \"unix:///run/redis.sock\";", &["redis"]);
    check("backplane redis url { roots: roots_of(\"a.pem\") };", &["redis", "tls"]);
    check("backplane redis \"Valkeys://localhost\";", &["redis", "tls"]);
    check("backplane redis \"redis+sentinel://a/b\";", &["redis"]);
    check("backplane redis \"rediss+sentinel://a/b\";", &["redis", "tls"]);

    check("endpoint http 8090;", &[]);
    check("public \"public\";", &[]);
    check("endpoint inner http 9090; operations { endpoint: inner };", &[]);
    check("route POST \"/\" (form: Form, id: u8) => redirect \"/index\";", &[]);
    check("signal NEWS: News = \"/\"; on connect NEWS => greet;", &[]);
    check("timer \"tick\" every 5s => tick;", &[]);
}

#[test]
fn a_declaration_that_is_left_out_needs_none() {
    let declaration = "#[cfg(feature = \"secure\")] endpoint https 8443;";
    let block = format!("server example; {declaration}").parse().expect("it is made of tokens");
    let expansion = with_features_of(Some(""), || crate::compile(block)).to_string();
    let error = expansion.find("compile_error").expect("there is one");
    let before = expansion[..error].trim_end_matches(":: core :: ").trim_end();
    assert!(before.ends_with("# [cfg (feature = \"secure\")]"), "{before}");
}
