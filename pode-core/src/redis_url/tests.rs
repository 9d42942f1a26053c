//! What URLs mean, what is told of mistakes, and that neither shows a password.

use super::*;

#[track_caller]
fn check(written: &str, shown: &str) {
    let url: RedisUrl = written.parse().unwrap();
    assert_eq!(url.to_string(), shown);
    // It means the same without user and password.
    let again: RedisUrl = shown.parse().unwrap();
    assert_eq!((again.server(), again.database()), (url.server(), url.database()));
}

#[track_caller]
fn check_user(written: &str, user: Option<&str>, password: Option<&str>) {
    let url: RedisUrl = written.parse().unwrap();
    assert_eq!((url.user(), url.password()), (user, password));
}

#[track_caller]
fn check_mistake(written: &str, expected: &str) {
    let error = written.parse::<RedisUrl>().unwrap_err();
    assert_eq!(format!("{error}; {}", error.help()), expected);
}

#[test]
fn urls_are_scheme_host_port_and_database() {
    check("redis://localhost", "redis://localhost:6379");
    check("REDIS://Redis.example:6380/", "redis://redis.example:6380");
    check("valkey://[::0:1]/15", "redis://[::1]:6379/15");
    check("rediss://10.0.0.5:1", "rediss://10.0.0.5:1");
    check("valkeys://redis.example:65535/0", "rediss://redis.example:65535");
}

#[test]
fn sockets_have_a_path_and_a_query() {
    check("unix:///run/redis.sock", "unix:///run/redis.sock");
    check("redis+unix:///run/redis.sock?db=2&", "unix:///run/redis.sock?db=2");
    check("valkey+unix:///run/a%20b?user=a&pass=b", "unix:///run/a b");
}

#[test]
fn sentinels_have_several_hosts_and_the_name_of_the_primary() {
    let shown = "redis+sentinel://one.example:26379,[::1]:26380/my-master.1_a";
    check("valkey+sentinel://One.example,[::0:1]:26380/my-master.1_a/0", shown);
    check("redis+sentinel://a/b/2?", "redis+sentinel://a:26379/b/2");
    check("rediss+sentinel://:c@a:1/b", "rediss+sentinel://a:1/b");
    let written = "valkeys+sentinel://shop:red@a,b/m?sentinel_username=s&sentinel_password=%40";
    let url: RedisUrl = written.parse().unwrap();
    assert_eq!((url.user(), url.password()), (Some("shop"), Some("red")));
    assert_eq!((url.sentinel_user(), url.sentinel_password()), (Some("s"), Some("@")));
    check_user("redis+sentinel://a/m?sentinel_password=b", None, None);
}

#[test]
fn users_and_passwords_are_decoded() {
    check_user("redis://localhost", None, None);
    check_user("redis://:@localhost", None, None);
    check_user("redis://:secret@localhost", None, Some("secret"));
    check_user("redis://shop:se:cr@et@localhost", Some("shop"), Some("se:cr@et"));
    check_user("rediss://sh%3Aop:%2F%C3%BC@localhost", Some("sh:op"), Some("/ü"));
    check_user("unix:///a?pass=a%26b&user=shop", Some("shop"), Some("a&b"));
}

#[test]
fn mistakes_are_named_with_what_to_write() {
    let help = "write `redis://localhost:6379`, or `rediss://localhost:6379` with TLS";
    check_mistake(
        "localhost:6379",
        &format!("the URL `localhost:6379` is not that of a Redis; {help}"),
    );
    let written = "http://localhost:6379";
    check_mistake(written, &format!("the URL `{written}` is not that of a Redis; {help}"));
    let help = "write it like `redis://localhost:6379`, or with TLS \
                `rediss://redis.example:6379`";
    check_mistake("", &format!("the URL `` is not that of a Redis; {help}"));
    check_mistake("redis:/a", &format!("the URL `redis:/a` is not that of a Redis; {help}"));
    check_mistake("redis://", &format!("the URL `redis://` has no host; {help}"));
    check_mistake("rediss://:1/2", &format!("the URL `rediss://:1/2` has no host; {help}"));
    let help = "write such a character of a password percent-encoded: `%2F`, `%3F` or `%23`";
    let wrong = "has a `/`, `?` or `#` before its `@`";
    check_mistake("redis://:se/cret@a", &format!("the URL `redis://…` {wrong}; {help}"));
    let help = "write `user:password@` before the host, or `:password@` without a user";
    let wrong = "names a user without a password";
    check_mistake("redis://shop@a", &format!("the URL `redis://…@a` {wrong}; {help}"));
    let help = "write it like `unix:///run/redis.sock`, with three slashes";
    let wrong = "has no absolute path of a socket";
    check_mistake("unix://run/a", &format!("the URL `unix://run/a` {wrong}; {help}"));
    let like = "redis+sentinel://one.example:26379,two.example:26379/mymaster";
    let help = format!("write it like `{like}`");
    let written = "redis-sentinel://a,b/0?sentinelMasterId=c";
    let shown = "redis-sentinel://a,b/0";
    check_mistake(written, &format!("the URL `{shown}` is not that of a Redis; {help}"));
    let help = format!("write the name by which they know it, as in `{like}`");
    let wrong = "doesn't name the primary behind its Sentinels";
    let written = "redis+sentinel://a,b";
    check_mistake(written, &format!("the URL `{written}` {wrong}; {help}"));
    let help = format!("write the one of the primary, or name Sentinels, as in `{like}`");
    check_mistake("redis://a,b", &format!("the URL `redis://a,b` has several hosts; {help}"));
    let wrong = "ends with something else than the number of a database";
    let written = "redis+sentinel://a/0/m";
    let help = format!("write it like `{like}/2`, or leave it out");
    check_mistake(written, &format!("the URL `{written}` {wrong}; {help}"));
    let help = "write it like `redis://localhost:6379/2`, or leave it out";
    check_mistake("redis://a/m", &format!("the URL `redis://a/m` {wrong}; {help}"));
    let help = format!("write it like `{like}?sentinel_password=PASSWORD`");
    let wrong = "has something else than `sentinel_username` and `sentinel_password` behind \
                 its `?`";
    let written = "redis+sentinel://a/m?db=1";
    let shown = "redis+sentinel://a/m";
    check_mistake(written, &format!("the URL `{shown}` {wrong}; {help}"));

    for (written, kind) in [
        ("redis://a:0", Kind::Authority),
        ("redis://a:65536", Kind::Authority),
        ("redis://a:b", Kind::Authority),
        ("redis://a b", Kind::Authority),
        ("redis://:%FF@a", Kind::NoText),
        ("redis://user:@a", Kind::NoPassword),
        ("unix:///a?user=b", Kind::NoPassword),
        ("redis://a/b", Kind::Database),
        ("redis://a/+1", Kind::Database),
        ("redis://a/1/2", Kind::Database),
        ("redis://a/4294967296", Kind::Database),
        ("redis://a?db=1", Kind::Behind),
        ("redis://a/1#b", Kind::Behind),
        ("redis+unix://", Kind::NoPath),
        ("unix:///run/", Kind::NoPath),
        ("unix:///a?database=1", Kind::Query),
        ("unix:///a?db", Kind::Query),
        ("sentinel://a", Kind::Scheme),
        ("redis+sentinel://", Kind::NoHost),
        ("redis+sentinel://a,,b/m", Kind::NoHost),
        ("redis+sentinel://a,:1/m", Kind::NoHost),
        ("redis+sentinel://a,b:0/m", Kind::Authority),
        ("redis+sentinel://a//0", Kind::Primary),
        ("redis+sentinel://a/m%20m", Kind::Primary),
        ("redis+sentinel://a/m#", Kind::Primary),
        ("redis+sentinel://a/m/b", Kind::Database),
        ("redis+sentinel://b@a/m", Kind::NoPassword),
        ("redis+sentinel://a/m?sentinel_username=b", Kind::NoPassword),
        ("redis+sentinel://a/m?sentinel_password=%FF", Kind::NoText),
        ("redis+sentinel://:b/c@a/m", Kind::NotEncoded),
        ("redis+sentinel://:b?c@a/m", Kind::NotEncoded),
    ] {
        assert_eq!(written.parse::<RedisUrl>().unwrap_err().kind, kind, "{written}");
    }
}

#[test]
fn who_asks_is_not_shown() {
    for written in [
        "rediss://secret:secret@a",
        "unix:///a?user=secret&pass=secret",
        "http://secret:secret@a",
        "secret:secret@a",
        "redis://secret@a",
        "redis://:secret/secret@a:0",
        "redis://:secret?secret@a",
        "redis://:secret@a?secret",
        "redis://:secret@a:0",
        "unix:///a?pass=b@secret",
        "redis+sentinel://secret:secret@a/m?sentinel_username=b&sentinel_password=secret",
        "redis+sentinel://a/m?sentinel_password=b@secret",
        "redis+sentinel://a/m?sentinel_pass=b@secret",
        "redis+sentinel://:secret?secret@a/m",
        "unix:///a?secret",
    ] {
        let said = match written.parse::<RedisUrl>() {
            Ok(url) => format!("{url} {url:?}"),
            Err(error) => format!("{error} {error:?} {}", error.help()),
        };
        assert!(!said.contains("secret"), "{said}");
    }
}
