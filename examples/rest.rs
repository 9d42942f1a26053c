//! Paths, queries, JSON and uploads, with windows that stay in sync.
//!
//! Start it and open <http://127.0.0.1:8094/> in two windows: notes written in
//! one, or by the commands below, show up in both. The page and its script are
//! in the folder `rest` next to this file.
//!
//! ```text
//! curl -i 127.0.0.1:8094/notes -d 'text=Water the peas'
//! curl -i '127.0.0.1:8094/notes?find=peas&limit=5'
//! curl -i 127.0.0.1:8094/notes/1 -X PUT --json '{"text":"Eat the peas"}'
//! curl -i 127.0.0.1:8094/notes/1/files -F file=@peas.jpg
//! curl -i 127.0.0.1:8094/notes/1 -X DELETE
//! ```

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use pode::Bytes;
use pode::prelude::*;

pode_server! {
    /// Keeps notes and their files, and notifies every window of changed notes.
    pub server rest;

    views  "examples/rest/views";
    public "examples/rest/public";

    // One port for both, so the page needs only its own origin.
    endpoint http "127.0.0.1:8094";
    endpoint ws   "127.0.0.1:8094";

    state SHELF: Mutex<Shelf> = Mutex::default();
    signal CHANGES: Change = "/changes";

    route GET    "/"                                                 => view "index";
    route GET    "/notes"                   (query: Search)          => list;
    route POST   "/notes"                   (data: Draft)            => add;
    route GET    "/notes/:id"               (id: u64)                => show;
    route PUT    "/notes/:id"               (id: u64, json: Draft)   => replace;
    route DELETE "/notes/:id"               (id: u64)                => remove;
    route POST   "/notes/:id/files"         (id: u64, multipart: Multipart) => attach;
    route GET    "/notes/:id/files/:number" (id: u64, number: usize) => download;
}

/// Everything is kept in memory, so everything has a limit.
const MAX_NOTES: usize = 100;
const MAX_FILES: usize = 4;
const MAX_FILE_BYTES: usize = 1 << 20;

#[derive(Default)]
struct Shelf {
    notes: BTreeMap<u64, Note>,
    /// Only grows: the address of a deleted note is never reused.
    last_id: u64,
}

#[derive(Clone, Serialize)]
struct Note {
    id: u64,
    text: String,
    files: Vec<Attachment>,
}

#[derive(Clone, Serialize)]
struct Attachment {
    name: String,
    content_type: String,
    /// Clones share their memory, so cloning a note is cheap.
    #[serde(skip)]
    content: Bytes,
}

/// Which note changed, but not how: each window shows its own part of the shelf
/// and requests it again, so no two changes can arrive in the wrong order.
#[derive(Serialize)]
struct Change {
    id: u64,
}

/// `?find=peas&skip=20&limit=10`; each part is optional.
#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    find: String,
    #[serde(default)]
    skip: usize,
    limit: Option<usize>,
}

#[derive(Serialize)]
struct Found {
    total: usize,
    notes: Vec<Note>,
}

/// The part of a note that a client writes; the server assigns the id.
#[derive(Deserialize)]
struct Draft {
    text: String,
}

/// For handlers that send: an [`EventError`] still becomes its own answer, and
/// a signal that can't be sent is logged and becomes a 500.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

async fn list(event: WebEvent, search: Search) -> Result<impl Reply, EventError> {
    let shelf = shelf(&event);
    let find = search.find.to_lowercase();
    let newest_first = shelf.notes.values().rev();
    let found: Vec<_> =
        newest_first.filter(|note| note.text.to_lowercase().contains(&find)).collect();
    let page = found.iter().skip(search.skip).take(search.limit.unwrap_or(10));
    Ok(json(&Found { total: found.len(), notes: page.copied().cloned().collect() }))
}

async fn add(event: WebEvent, draft: Draft) -> Outcome<impl Reply> {
    // Here and below, the lock is released at the end of the statement, before
    // any await.
    let note = shelf(&event).add(draft.text)?;
    event.send(CHANGES, &Change { id: note.id }).await?;
    Ok(json(&note).with_status(201).with_header("location", &format!("/notes/{}", note.id)))
}

async fn show(event: WebEvent, id: u64) -> Result<impl Reply, EventError> {
    Ok(json(shelf(&event).note(id)?))
}

async fn replace(event: WebEvent, id: u64, draft: Draft) -> Outcome<()> {
    shelf(&event).note(id)?.text = draft.text;
    event.send(CHANGES, &Change { id }).await?;
    Ok(())
}

async fn remove(event: WebEvent, id: u64) -> Outcome<()> {
    shelf(&event).notes.remove(&id).ok_or_else(|| not_found("note"))?;
    event.send(CHANGES, &Change { id }).await?;
    Ok(())
}

async fn attach(event: WebEvent, id: u64, mut form: Multipart) -> Outcome<impl Reply> {
    let mut number = None;
    while let Some(part) = form.next().await? {
        let Some(name) = part.file_name().map(str::to_owned) else { continue };
        let content_type = part.content_type().unwrap_or("application/octet-stream").to_owned();
        let content = part.bytes().await?;
        let file = Attachment { name, content_type, content };
        number = Some(shelf(&event).note(id)?.attach(file)?);
        event.send(CHANGES, &Change { id }).await?;
    }
    let number = number.ok_or_else(|| EventError::new(400, "there is no file in the form"))?;
    Ok(status(201).with_header("location", &format!("/notes/{id}/files/{number}")))
}

async fn download(event: WebEvent, id: u64, number: usize) -> Result<impl Reply, EventError> {
    let mut shelf = shelf(&event);
    let file = shelf.note(id)?.files.get(number).ok_or_else(|| not_found("file"))?;
    // Anyone may have uploaded a page with a script: a file must not act as a
    // page of this server, nor be treated as another type than it declares.
    Ok(bytes(&file.content_type, file.content.clone())
        .with_header("content-security-policy", "sandbox; default-src 'none'")
        .with_header("x-content-type-options", "nosniff"))
}

/// Locks the shelf, which is always consistent, even if a handler panicked.
fn shelf(event: &WebEvent) -> MutexGuard<'_, Shelf> {
    event.state(SHELF).lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_found(what: &str) -> EventError {
    EventError::new(404, format!("there is no such {what}"))
}

impl Shelf {
    fn note(&mut self, id: u64) -> Result<&mut Note, EventError> {
        self.notes.get_mut(&id).ok_or_else(|| not_found("note"))
    }

    fn add(&mut self, text: String) -> Result<Note, EventError> {
        if self.notes.len() == MAX_NOTES {
            return Err(EventError::new(409, "the shelf is full; delete a note first"));
        }
        self.last_id += 1;
        let note = Note { id: self.last_id, text, files: Vec::new() };
        self.notes.insert(note.id, note.clone());
        Ok(note)
    }
}

impl Note {
    /// Returns the number of the file.
    fn attach(&mut self, file: Attachment) -> Result<usize, EventError> {
        if file.content.len() > MAX_FILE_BYTES {
            return Err(EventError::new(413, "a file has at most 1 MiB"));
        }
        if self.files.len() == MAX_FILES {
            return Err(EventError::new(409, "a note has at most 4 files"));
        }
        self.files.push(file);
        Ok(self.files.len() - 1)
    }
}

fn main() -> pode::Result {
    pode::log_to_terminal();
    rest().run_blocking()
}
