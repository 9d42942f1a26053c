// The page of the example: shows one part of the shelf, and keeps it in step.
//
// Whatever is done here goes to the server as a request, and nothing is shown
// before the server has it. Every change, by whomever, comes back as a signal
// that names the note; the part that is shown is then asked for anew.

import { signal } from "/_pode/pode.js";

const PAGE_SIZE = 12;

const element = (id) => document.getElementById(id);
const notes = element("notes");
const find = element("find");

// ---- Asking ----------------------------------------------------------------

// Returns the response, or shows what went wrong as a sentence.
async function ask(method, path, body) {
  let error = "The server can't be reached.";
  try {
    const headers = typeof body === "string" ? { "Content-Type": "application/json" } : {};
    const response = await fetch(path, { method, headers, body });
    if (response.ok) {
      element("error").textContent = "";
      return response;
    }
    error = (await response.text()) || `The server answered ${response.status}.`;
  } catch {
    // Only a network that fails throws.
  }
  element("error").textContent = error;
}

// ---- Showing ---------------------------------------------------------------

// How many newer notes are passed over.
let skip = 0;
// Settles when the part is shown; set while it is being asked for, and only then.
let refreshing;
let again = false;

// Shows the part of the shelf that is looked at. One request at a time, or an
// older answer might come last; what is asked meanwhile is asked once, after.
function refresh() {
  again = true;
  refreshing ??= refreshWhileAsked();
  return refreshing;
}

async function refreshWhileAsked() {
  while (again) {
    again = false;
    const query = new URLSearchParams({ find: find.value, skip, limit: PAGE_SIZE });
    const response = await ask("GET", `/notes?${query}`);
    if (response) show(await response.json());
  }
  refreshing = undefined;
}

function show({ total, notes: listed }) {
  // The last note of the last page was deleted.
  if (listed.length === 0 && skip > 0) return turn(-PAGE_SIZE);

  const ids = new Set(listed.map((note) => `${note.id}`));
  for (const card of [...notes.children]) {
    // What is being written is never taken away.
    if (!ids.has(card.dataset.id) && card.querySelector(".edit").hidden) card.remove();
  }
  // Cards stay who they are, so the focus stays where it is.
  let last = null;
  for (const note of listed) {
    const card = cardOf(note.id) ?? makeCard(note.id);
    fill(card, note);
    if (!card.parentNode || card.previousElementSibling !== last) {
      last ? last.after(card) : notes.prepend(card);
    }
    last = card;
  }

  element("nothing").hidden = total > 0;
  element("nothing").textContent = find.value === ""
    ? "The shelf is empty. Open this page in a second window and write a note."
    : "No note has these words.";
  element("range").textContent = total === 0 ? "" : `${skip + 1}–${skip + listed.length} of ${total}`;
  element("newer").disabled = skip === 0;
  element("older").disabled = skip + listed.length >= total;
}

function turn(notesOlder) {
  skip = Math.max(0, skip + notesOlder);
  refresh();
}

function cardOf(id) {
  return notes.querySelector(`[data-id="${id}"]`);
}

function makeCard(id) {
  const card = element("note").content.firstElementChild.cloneNode(true);
  const part = (selector) => card.querySelector(selector);
  const path = `/notes/${id}`;
  card.dataset.id = id;
  part(".id").textContent = `#${id}`;
  part(".id").href = path;

  const edit = part(".edit");
  const editing = (on) => {
    edit.hidden = !on;
    part(".text").hidden = on;
    part(".change").disabled = on;
    if (on) edit.text.focus();
    else part(".change").focus();
  };
  part(".change").onclick = () => {
    edit.text.value = part(".text").textContent;
    editing(true);
  };
  part(".cancel").onclick = () => {
    editing(false);
    // It may have been deleted meanwhile.
    refresh();
  };
  edit.onsubmit = async (event) => {
    event.preventDefault();
    const saved = await ask("PUT", path, JSON.stringify({ text: edit.text.value }));
    if (saved) editing(false);
  };

  part(".delete").onclick = () => ask("DELETE", path);

  part("[type=file]").onchange = async ({ target }) => {
    const form = new FormData();
    for (const file of target.files) form.append("file", file);
    // Or choosing the same file again would be no change.
    target.value = "";
    await ask("POST", `${path}/files`, form);
  };
  return card;
}

// Always `textContent`: what others wrote must never become markup.
function fill(card, note) {
  card.querySelector(".text").textContent = note.text;
  const links = note.files.map((file, number) => {
    const link = document.createElement("a");
    link.href = `/notes/${note.id}/files/${number}`;
    link.target = "_blank";
    link.textContent = file.name;
    if (file.content_type.startsWith("image/")) {
      const picture = document.createElement("img");
      picture.src = link.href;
      picture.alt = "";
      link.prepend(picture);
    }
    const entry = document.createElement("li");
    entry.append(link);
    return entry;
  });
  card.querySelector(".files").replaceChildren(...links);
}

// ---- Hearing of changes ----------------------------------------------------

const changes = signal("/changes");
changes.on(async ({ id }) => {
  await refresh();
  const card = cardOf(id);
  card?.classList.add("changed");
  card?.addEventListener("animationend", () => card.classList.remove("changed"), { once: true });
});
changes.on("state", async (state) => {
  if (state === "waiting") showConnection("waiting", "Reconnecting");
  if (state !== "live") return;
  // Only now: whatever changes from here on is heard of.
  await refresh();
  if (changes.state === "live") showConnection("live", "Live");
});

function showConnection(state, text) {
  element("connection").dataset.state = state;
  element("connection").textContent = text;
}

// ---- Doing -----------------------------------------------------------------

element("add").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  // A form post, as the page could do it without a script.
  const added = await ask("POST", "/notes", new URLSearchParams(new FormData(form)));
  if (!added) return;
  form.reset();
  // Where the new note shows.
  find.value = "";
  skip = 0;
  refresh();
});

// Enter alone is a new line of the note.
addEventListener("keydown", (event) => {
  const { target } = event;
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  if (target.matches("textarea")) target.form.requestSubmit();
});

find.addEventListener("input", () => {
  skip = 0;
  refresh();
});
element("newer").addEventListener("click", () => turn(-PAGE_SIZE));
element("older").addEventListener("click", () => turn(PAGE_SIZE));
