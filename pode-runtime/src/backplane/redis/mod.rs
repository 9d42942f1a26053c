//! Redis as a carrier: each stream is a Redis stream, whose ids are a term and an index.
//!
//! | key | |
//! |---|---|
//! | `pode:{shop}:terms` | a list of the last terms, in JSON |
//! | `pode:{shop}:tickets` | the key of tickets, in base64url |
//! | `pode:{shop}:stream:/chat` | the stream of a signal; of a family, `…:/rooms/:room:0` to `…:15` |
//! | `pode:{shop}:nodes` | the stream of the nodes |
//! | `pode:{shop}:last:/price` | of what was dropped of a stream, the last entry of each kind: a hash by kind, of ids and entries; of no kind, the last id of all |
//! | `pode:{shop}:last-numbers:/price` | the same kinds, by number: a sorted set |
//!
//! The braces keep all keys in one slot of a cluster. An append names its term
//! (`XADD key NOMKSTREAM … 1829000000000-*`), so it fails where a later one has begun, and
//! makes no stream anew: `term.lua` alone does that.
//!
//! `connect` makes a `connection` of a URL, and `last` keeps the last entries.

mod connect;
mod connection;
mod last;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use ::redis::{ErrorKind, RedisError, Value, cmd, pipe};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use pode_core::RedisUrl;
use serde::Deserialize;

use self::connect::Address;
use self::connection::Connection;
use self::last::{LastKeys, Trim, mark};
use super::carrier::{
    Appended, Appender, Carrier, CarrierError, EntryId, FIRST_TERM, Known, LAST_TERM, LastEntries,
    Opened, READ_TIMEOUT, Read, ReadEntries, Reader, Term, ToAppend, Top,
};
use super::options::BackplaneOptions;
use crate::app::tickets::TicketKey;
use crate::push::engine::random_epoch;

/// How many entries of a stream are read at once, at most.
const READ_ENTRIES: usize = 128;

/// How many bytes of entries are read at once, about.
const READ_BYTES: usize = 8 << 20;

/// How keys are laid out and entries written; nodes with another one can't take part.
const LAYOUT: &str = "1";

/// The oldest version that can be told in which term to append.
const OLDEST_VERSION: (u32, u32) = (7, 0);

const BEGIN_TERM: &str = include_str!("term.lua");

pub(crate) struct Redis {
    address: Address,
    terms_key: String,
    tickets_key: String,
    /// Of each stream.
    keys: Vec<String>,
    /// Of each one that has last entries.
    last_keys: Vec<Option<LastKeys>>,
    kept_messages: usize,
}

/// What a stream is.
pub(crate) struct StreamOptions {
    pub(crate) name: String,
    /// How many of its last entries are kept longer than others, if any are.
    pub(crate) last_messages: Option<usize>,
}

pub(crate) struct RedisAppender {
    connection: Connection,
    keys: Vec<String>,
    /// Of each stream that has last entries.
    trims: Vec<Option<Trim>>,
    kept_messages: usize,
    /// Names the connection at its server.
    id: u64,
    /// Names the server, from its start to its end.
    run: String,
}

pub(crate) struct RedisReader {
    connection: Connection,
    keys: Vec<String>,
    last_keys: Vec<Option<LastKeys>>,
    streams: HashMap<Vec<u8>, usize>,
    /// How many entries of each stream are read next.
    count: usize,
}

/// A term as `term.lua` writes it.
#[derive(Deserialize)]
struct WrittenTerm {
    term: String,
    epoch: String,
    heads: HashMap<String, String>,
}

impl Redis {
    /// Takes the URL of a server, under which name the nodes find each other, and their
    /// streams; one more is that of the nodes. `folder` is the crate's, while developing.
    pub(crate) fn new(
        url: RedisUrl,
        name: &str,
        streams: impl IntoIterator<Item = StreamOptions>,
        options: &BackplaneOptions,
        folder: Option<&Path>,
    ) -> Result<Redis, CarrierError> {
        let address = Address::new(url, &options.roots, folder)?;
        let kept_messages = options.kept_messages;
        let prefix = format!("pode:{{{name}}}");
        let keys = streams.into_iter().map(|StreamOptions { name, last_messages }| {
            let last_keys = last_messages.map(|kept| LastKeys::new(&prefix, &name, kept));
            (format!("{prefix}:stream:{name}"), last_keys)
        });
        let (keys, last_keys) = keys.chain([(format!("{prefix}:nodes"), None)]).unzip();
        let (terms_key, tickets_key) = (format!("{prefix}:terms"), format!("{prefix}:tickets"));
        Ok(Redis { address, terms_key, tickets_key, keys, last_keys, kept_messages })
    }

    fn terms(&self, written: &[String]) -> Result<Vec<Term>, CarrierError> {
        let unsound = || failed(format!("`{}` isn't written by pode", self.terms_key));
        let read = |json: &String| {
            let WrittenTerm { term, epoch, heads } = serde_json::from_str(json).ok()?;
            let epoch = u64::from_str_radix(&epoch, 16).ok()?;
            let heads = self.keys.iter().map(|key| match heads.get(key) {
                Some(head) => id_of(head.as_bytes()),
                None => Some(EntryId::default()),
            });
            Some(Term { term: term.parse().ok()?, epoch, heads: heads.collect::<Option<_>>()? })
        };
        written.iter().map(|json| read(json).ok_or_else(unsound)).collect()
    }
}

impl Carrier for Redis {
    type Appender = RedisAppender;
    type Reader = RedisReader;

    async fn open(
        &self,
        known: &Known,
        before: Option<&RedisAppender>,
    ) -> Result<Opened<RedisAppender>, CarrierError> {
        let (mut connection, info) = self.address.connect().await?;
        let run = server(&info)?.to_owned();
        let id: u64 = connection.ask(cmd("CLIENT").arg("ID")).await?;
        // Where the user may do neither, entries would be appended one by one, and the
        // library counts the answers to a transaction that hasn't begun wrongly.
        connection.ask::<()>(&cmd("MULTI")).await?;
        connection.ask::<Value>(&cmd("EXEC")).await?;
        // A server that is another one has nothing of that connection.
        let is_fenced = match before.filter(|before| before.run == run) {
            Some(before) => {
                let mut kill = cmd("CLIENT");
                kill.arg("KILL").arg("ID").arg(before.id);
                connection.ask::<i64>(&kill).await.is_ok()
            }
            None => true,
        };
        let (term, epoch) = known.term.unwrap_or_default();
        // Its clock may be wrong.
        let least = known.cursors.iter().map(|id| id.next_term()).fold(FIRST_TERM, u64::max);
        let mut begin = cmd("EVAL");
        begin.arg(BEGIN_TERM).arg(2 + self.keys.len());
        begin.arg(&self.terms_key).arg(&self.tickets_key).arg(&self.keys);
        begin.arg(&run).arg(format!("{:016x}", random_epoch()));
        begin.arg(term).arg(format!("{epoch:016x}")).arg(least).arg(LAST_TERM);
        begin.arg(LAYOUT).arg(text_of(&known.ticket_key));
        let (written, tops, ticket_key): (Vec<String>, Vec<(String, bool)>, String) =
            connection.ask(&begin).await?;
        let top = |(id, is_kept): (String, _)| Some(Top { id: id_of(id.as_bytes())?, is_kept });
        let tops = tops.into_iter().map(top);
        let tops = tops.collect::<Option<_>>().ok_or_else(|| failed("it has odd ids".to_owned()));
        let (keys, kept_messages) = (self.keys.clone(), self.kept_messages);
        let trims = self.last_keys.iter().map(|keys| keys.clone().map(Trim::new)).collect();
        let appender = RedisAppender { connection, keys, trims, kept_messages, id, run };
        let ticket_key = key_of(&ticket_key)
            .ok_or_else(|| failed(format!("`{}` isn't written by pode", self.tickets_key)))?;
        let (terms, tops) = (self.terms(&written)?, tops?);
        Ok(Opened { appender, terms, tops, ticket_key, is_fenced })
    }

    async fn reader(&self) -> Result<RedisReader, CarrierError> {
        let (connection, _) = self.address.connect().await?;
        let streams = self.keys.iter().enumerate();
        let streams = streams.map(|(stream, key)| (key.clone().into_bytes(), stream)).collect();
        // How long they are isn't known yet.
        let (keys, last_keys) = (self.keys.clone(), self.last_keys.clone());
        Ok(RedisReader { connection, keys, last_keys, streams, count: 1 })
    }
}

impl Appender for RedisAppender {
    async fn append(&mut self, term: u64, entries: &[ToAppend]) -> Result<Appended, CarrierError> {
        let id = format!("{term}-*");
        let mut batch = pipe();
        batch.atomic();
        for entry in entries {
            let ToAppend { stream, body, last_of } = entry;
            batch.cmd("XADD").arg(&self.keys[*stream]).arg("NOMKSTREAM");
            if let Some(trim) = &mut self.trims[*stream] {
                trim.note(entry);
                batch.arg(&id).arg("m").arg(body).arg("l").arg(mark(last_of.as_ref()));
            } else {
                batch.arg("MAXLEN").arg("~").arg(self.kept_messages);
                batch.arg(&id).arg("m").arg(body);
            }
        }
        for (trim, key) in self.trims.iter_mut().zip(&self.keys) {
            if let Some(trim) = trim {
                trim.add_if_due(&mut batch, key, self.kept_messages);
            }
        }
        let appended = self.connection.ask_all::<Vec<Option<String>>>(&batch).await;
        match appended {
            Ok(ids) if ids.iter().all(Option::is_some) => {
                let ids = ids.iter().map(|id| id_of(id.as_ref()?.as_bytes()));
                let ids = ids.collect::<Option<_>>();
                ids.map(Appended::All).ok_or_else(|| failed("it has odd ids".to_owned()))
            }
            Ok(_) => Ok(Appended::Stale),
            Err(error) => match refusal(&error) {
                Some(refusal) => Ok(refusal),
                None => Err(error.into()),
            },
        }
    }

    async fn time(&mut self) -> Result<Duration, CarrierError> {
        let (seconds, microseconds) = self.connection.ask(&cmd("TIME")).await?;
        Ok(Duration::from_secs(seconds) + Duration::from_micros(microseconds))
    }
}

impl Reader for RedisReader {
    async fn read(&mut self, after: &[EntryId]) -> Result<ReadEntries, CarrierError> {
        let mut read = cmd("XREAD");
        read.arg("COUNT").arg(self.count).arg("BLOCK").arg(READ_TIMEOUT.as_millis() as u64);
        read.arg("STREAMS").arg(&self.keys);
        for id in after {
            read.arg(id.to_string());
        }
        let answer = self.connection.ask::<Value>(&read).await?;
        let entries = entries(answer, &self.streams)
            .ok_or_else(|| failed("its answer isn't understood".to_owned()))?;
        if let Some(Read { stream, id, .. }) = entries.iter().find(|entry| !entry.id.has_number()) {
            let key = &self.keys[*stream];
            return Err(failed(format!("`{key}` has an entry {id}, which has no number")));
        }
        let mut of_streams = entries.chunk_by(|entry, next| entry.stream == next.stream);
        let are_all = of_streams.all(|entries| entries.len() < self.count);
        self.count = next_count(self.count, &entries, self.keys.len());
        Ok(ReadEntries { entries, are_all })
    }

    async fn last(
        &mut self,
        stream: usize,
        until: EntryId,
        bytes: usize,
    ) -> Result<LastEntries, CarrierError> {
        match &self.last_keys[stream] {
            Some(last) => last.read(&mut self.connection, until, bytes).await,
            None => Ok(LastEntries::default()),
        }
    }
}

/// Returns how many entries of each stream are read next: as many as may be, if they are
/// as long as those that were `read` now. It doubles at most, as others may be longer.
fn next_count(count: usize, read: &[Read], streams: usize) -> usize {
    let bytes = read.iter().map(|entry| entry.body.len()).sum::<usize>();
    match bytes.checked_div(read.len()) {
        Some(length) => {
            (READ_BYTES / (length.max(1) * streams)).min(2 * count).clamp(1, READ_ENTRIES)
        }
        None => count,
    }
}

/// Returns the entries in an answer to `XREAD`, which is a map in RESP3.
fn entries(answer: Value, streams: &HashMap<Vec<u8>, usize>) -> Option<Vec<Read>> {
    let answered: Vec<(Value, Value)> = match answer {
        Value::Nil => Vec::new(),
        Value::Map(answered) => answered,
        Value::Array(answered) => {
            let pair = |stream| match stream {
                Value::Array(pair) => {
                    <[Value; 2]>::try_from(pair).ok().map(|[one, two]| (one, two))
                }
                _ => None,
            };
            answered.into_iter().map(pair).collect::<Option<_>>()?
        }
        _ => return None,
    };
    let mut read = Vec::new();
    for (key, entries) in answered {
        let (Value::BulkString(key), Value::Array(entries)) = (key, entries) else { return None };
        let stream = streams.get(&key).copied();
        for entry in entries {
            let Value::Array(entry) = entry else { return None };
            let [Value::BulkString(id), Value::Array(fields)] =
                <[Value; 2]>::try_from(entry).ok()?
            else {
                return None;
            };
            // Behind its field, and perhaps before its mark; or an entry of somebody else.
            let body = fields.into_iter().nth(1);
            let Some(Value::BulkString(body)) = body else { continue };
            let (Some(stream), Some(id)) = (stream, id_of(&id)) else { continue };
            read.push(Read { stream, id, body });
        }
    }
    Some(read)
}

fn id_of(text: &[u8]) -> Option<EntryId> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Returns a field of what `INFO` answers.
fn field<'info>(info: &'info str, name: &str) -> Option<&'info str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// Returns what names a server that can be used, from its start to its end.
fn server(info: &str) -> Result<&str, CarrierError> {
    let version = field(info, "redis_version").unwrap_or_default();
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or_default());
    let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if number < OLDEST_VERSION {
        let reason = format!("it is version {version} of Redis, and 7.0 is needed, or Valkey");
        return Err(CarrierError { reason, is_final: true });
    }
    let policy = field(info, "maxmemory_policy").unwrap_or_default();
    if policy.starts_with("allkeys") && field(info, "maxmemory").is_some_and(|most| most != "0") {
        tracing::warn!(
            "Redis may evict what it carries (`maxmemory-policy {policy}`), and clients then miss \
             messages; set it to `noeviction`"
        );
    }
    field(info, "run_id").ok_or_else(|| failed("it has no run id".to_owned()))
}

fn text_of(key: &TicketKey) -> String {
    URL_SAFE_NO_PAD.encode::<[u8; 32]>(key.clone().into())
}

fn key_of(text: &str) -> Option<TicketKey> {
    let bytes: [u8; 32] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    Some(bytes.into())
}

fn failed(reason: String) -> CarrierError {
    CarrierError { reason, is_final: false }
}

/// Returns what an error means that the server answers, if nothing is wrong with the
/// connection.
fn refusal(error: &RedisError) -> Option<Appended> {
    let text = error.to_string();
    // Some were appended, if one stream alone is gone; those will be read.
    let is_stale = text.contains("equal or smaller than the target stream");
    let is_full = ["OOM", "NOREPLICAS", "MISCONF"].iter().any(|code| text.contains(code));
    match (is_stale, is_full) {
        (true, _) => Some(Appended::Stale),
        (false, true) => Some(Appended::Full),
        (false, false) => None,
    }
}

impl From<io::Error> for CarrierError {
    fn from(error: io::Error) -> CarrierError {
        failed(error.to_string())
    }
}

impl From<RedisError> for CarrierError {
    fn from(error: RedisError) -> CarrierError {
        // Retried as well: a password may be changed on either side first.
        failed(match error.kind() {
            // What the library says of it is about single bytes.
            ErrorKind::Parse => "it doesn't answer as a Redis does".to_owned(),
            _ => error.to_string(),
        })
    }
}
