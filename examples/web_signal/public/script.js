// The page of the example: posts what is typed, lists what arrives.
//
// Sending and receiving are two roads. A message goes to the server by an
// ordinary form post; the server sends it to every client on the signal, this
// page included. So nothing is listed here before it has been all the way.

const SIGNAL = `ws://${location.hostname}:8091/`;

// Older entries are dropped, or a tab left open for a week would grow forever.
const MAX_ENTRIES = 500;

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
// A connection that ends sooner than this counts as one more failure in a row.
const STABLE_MS = 5_000;

const element = (id) => document.getElementById(id);
const form = element("form");
const field = element("message");
const log = element("log");
const messages = element("messages");
const unseen = element("unseen");

// ---- Receiving -------------------------------------------------------------

// Connections that failed or ended in a row.
let failures = 0;
// Set while waiting for the next try, and only then.
let retry;

function connect() {
  clearTimeout(retry);
  retry = undefined;
  showConnection("connecting", failures === 0 ? "Connecting" : "Reconnecting");

  let openedAt;
  const socket = new WebSocket(SIGNAL);
  socket.onopen = () => {
    openedAt = performance.now();
    showConnection("live", "Live");
  };
  socket.onmessage = (event) => list(JSON.parse(event.data).Message);
  // Comes at the end of every connection, also of one that never opened.
  // `onerror` would come just before it and tell nothing more.
  socket.onclose = () => {
    const opened = openedAt !== undefined;
    if (opened) list("The connection was lost. What is sent meanwhile will be missing here.", "note");
    const stable = opened && performance.now() - openedAt >= STABLE_MS;
    failures = stable ? 1 : failures + 1;
    connectIn(pause());
  };
}

// Doubles with each failure. The random half keeps the clients of a server
// that restarts from all coming back in the same instant.
function pause() {
  const longest = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS);
  return (longest / 2) * (1 + Math.random());
}

function connectIn(milliseconds) {
  const due = performance.now() + milliseconds;
  const tick = () => {
    const left = due - performance.now();
    if (left <= 0) return connect();
    showConnection("waiting", "Reconnecting", `in ${Math.ceil(left / 1_000)} s`);
    retry = setTimeout(tick, left % 1_000 || 1_000);
  };
  tick();
}

// Someone is looking, or the network is back: the pause has no purpose now.
function connectNow() {
  if (retry !== undefined && !document.hidden) connect();
}
addEventListener("online", connectNow);
document.addEventListener("visibilitychange", connectNow);

function showConnection(state, text, countdown = "") {
  element("connection").dataset.state = state;
  // Assigning the same text again would make screen readers repeat it.
  if (element("state").textContent !== text) element("state").textContent = text;
  element("countdown").textContent = countdown;
}

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

connect();
