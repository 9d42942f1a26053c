// The page of the example: posts what is typed, lists what arrives.
//
// Sending and receiving are two roads. A message goes to the server by an
// ordinary form post; the server sends it to every client on the signal, this
// page included. So nothing is listed here before it has been all the way.

import { signal } from "/_pode/pode.js";

// Older entries are dropped, or a tab left open for a week would grow forever.
const MAX_ENTRIES = 500;

const element = (id) => document.getElementById(id);
const form = element("form");
const field = element("message");
const log = element("log");
const messages = element("messages");
const unseen = element("unseen");

// ---- Receiving -------------------------------------------------------------

const WORDS = { connecting: "Connecting", live: "Live", waiting: "Reconnecting" };

const chat = signal(`ws://${location.hostname}:8091/`);
chat.on(({ Message }) => list(Message));
chat.on("gap", () => list("The connection was lost. What was sent meanwhile is missing here.", "note"));
chat.on("state", (state) => {
  element("connection").dataset.state = state;
  element("state").textContent = WORDS[state] ?? element("state").textContent;
});

// ---- Listing ---------------------------------------------------------------

function list(text, kind = "message") {
  const now = new Date();
  const time = document.createElement("time");
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();

  const body = document.createElement("span");
  // Always `textContent`: what others typed must never become markup.
  body.textContent = text;
  // Reads from right to left where its own letters do.
  body.dir = "auto";

  const entry = document.createElement("li");
  entry.className = kind;
  entry.append(body, " ", time);
  messages.append(entry);
  if (messages.childElementCount > MAX_ENTRIES) messages.firstElementChild.remove();

  if (!atEnd) showUnseen(unseenCount + 1);
  follow();
}

// The list follows the newest entry only while its end is in view: a reader
// who scrolled back is not torn away, but told how much has come since.
let atEnd = true;
let unseenCount = 0;

function follow() {
  if (atEnd) log.scrollTop = log.scrollHeight;
}

function showUnseen(count) {
  unseenCount = count;
  unseen.hidden = count === 0;
  unseen.textContent = `${count} new`;
}

// Only a reader leaves the end. Whatever else would, a new entry or less room
// for the list, is followed by `follow` before the next of these events.
log.addEventListener("scroll", () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 16;
  if (atEnd) showUnseen(0);
});
unseen.addEventListener("click", () => {
  atEnd = true;
  follow();
  field.focus();
});

// A phone's keyboard takes room away, and so may a line of error text.
new ResizeObserver(follow).observe(log);

// ---- Sending ---------------------------------------------------------------

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  field.focus();
  const message = field.value;
  if (message.trim() === "") return;

  // Read before the field is cleared, which happens at once so that the next
  // message can be typed while this one travels.
  const body = new URLSearchParams(new FormData(form));
  field.value = "";
  const error = await post(body);
  element("error").textContent = error;
  // Nothing typed is lost, unless something new has been typed since.
  if (error !== "" && field.value === "") field.value = message;
});

// Returns what went wrong as a sentence, or nothing.
async function post(body) {
  try {
    const response = await fetch(form.action, { method: form.method, body });
    if (response.ok) return "";
    return (await response.text()) || `The server answered ${response.status}.`;
  } catch {
    return "The server can't be reached. Your message was not sent.";
  }
}
