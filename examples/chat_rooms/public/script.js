// The page of the example: one room, by one WebSocket for who is there, and one
// for what is said.
//
// What is said goes to the server and comes back to everyone, this page
// included. So nothing is listed here before it has been all the way.

const ROOM = document.body.dataset.room;

// Older entries are dropped, or a tab left open for a week would grow forever.
const MAX_ENTRIES = 500;

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
// A connection that ends sooner than this counts as one more failure in a row.
const STABLE_MS = 5_000;

// Typing is told this often, and shown for a little longer.
const TYPING_MS = 2_000;

const element = (id) => document.getElementById(id);
const door = element("door");
const log = element("log");
const messages = element("messages");
const field = element("message");
const to = element("to");
const curious = element("curious");

// ---- At the door -----------------------------------------------------------

// Kept for this tab, so that reloading it doesn't ask again.
const NAME = "chat_rooms.name";
let name = sessionStorage.getItem(NAME);

function openDoor(refusal = "") {
  socket = undefined;
  sessionStorage.removeItem(NAME);
  showConnection("away", "Not in yet");
  to.value = "";
  showPeople({});
  element("name").value = name ?? "";
  element("refusal").textContent = refusal;
  if (!door.open) door.showModal();
  element("name").select();
}

door.addEventListener("submit", () => {
  name = element("name").value.trim();
  sessionStorage.setItem(NAME, name);
  const room = element("room").value.trim();
  if (room !== ROOM) {
    location.href = `/rooms/${encodeURIComponent(room)}`;
    return;
  }
  failures = 0;
  wasIn = false;
  connect();
});
door.addEventListener("close", () => field.focus());
// There is nothing to see behind it.
door.addEventListener("cancel", (event) => event.preventDefault());

element("leave").addEventListener("click", () => {
  clearTimeout(retry);
  retry = undefined;
  socket?.close();
  openDoor();
});

// Browsers don't tell why a WebSocket was refused, so the door is asked.
// Returns a sentence, or nothing if one may come in, or if nobody answers.
async function refusal() {
  try {
    const asked = `/rooms/${encodeURIComponent(ROOM)}/door?name=${encodeURIComponent(name)}`;
    const response = await fetch(asked);
    return response.ok ? "" : asSentence(await response.text());
  } catch {
    return "";
  }
}

function asSentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).trimEnd()}.`;
}

// ---- The connection --------------------------------------------------------

let socket;
// Connections that failed or ended in a row.
let failures = 0;
// Whether this visit has been let in once: then it is let in again, sooner or
// later. The server may take a moment to notice that a lost client has gone.
let wasIn = false;
// Set while waiting for the next try, and only then.
let retry;

function connect() {
  clearTimeout(retry);
  retry = undefined;
  showConnection("connecting", failures === 0 ? "Connecting" : "Reconnecting");

  let openedAt;
  const mine = new WebSocket(
    `ws://${location.host}/rooms/${encodeURIComponent(ROOM)}/people?name=${encodeURIComponent(name)}`,
  );
  socket = mine;
  mine.onopen = () => {
    openedAt = performance.now();
    wasIn = true;
  };
  mine.onmessage = ({ data }) => {
    if (socket === mine) hear(JSON.parse(data));
  };
  // Comes at the end of every connection, also of one that never opened.
  mine.onclose = async () => {
    const refused = wasIn ? "" : await refusal();
    if (socket !== mine) return;
    if (refused !== "") return openDoor(refused);
    const opened = openedAt !== undefined;
    if (opened) note("The connection was lost.");
    const stable = opened && performance.now() - openedAt >= STABLE_MS;
    failures = stable ? 1 : failures + 1;
    connectIn(pause());
  };
}

// Listens to what is said, the last of it first, for as long as a socket is open.
// If this ends before, that one does, too, and both begin anew.
function listen(mine) {
  // After a reconnect, some of it is listed already: if the first isn't, the room keeps
  // nothing from before, and what was said meanwhile may be more than it keeps.
  const keys = [...messages.children].map((entry) => entry.dataset.key);
  const listed = new Set(keys.filter((key) => key !== undefined));
  let isFirst = listed.size > 0;
  const room = new WebSocket(`ws://${location.host}/rooms/${encodeURIComponent(ROOM)}`);
  room.onmessage = ({ data }) => {
    if (socket !== mine) return;
    const message = JSON.parse(data);
    const isNew = !listed.has(keyOf(message));
    if (isFirst && isNew) note("Some messages may be missing here.");
    isFirst = false;
    if (isNew) listMessage(message);
  };
  room.onclose = () => mine.close();
  mine.addEventListener("close", () => room.close());
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

// ---- Hearing ---------------------------------------------------------------

let me;
// Names by client id; nobody while there is no connection.
let people = {};

function hear(news) {
  if ("error" in news) return showError(asSentence(news.error));
  switch (news.news) {
    case "welcome":
      me = news.you;
      people = {};
      // From here on everything arrives, so now the room is asked for.
      say({ say: "hello" });
      listen(socket);
      if (!curious.checked) say({ say: "curious", on: false });
      break;
    case "here":
      noteChanges(news.people);
      showPeople(news.people);
      showConnection("live", "Live");
      break;
    case "whisper":
      listWhisper(news);
      break;
    case "typing":
      showTyping(news.from);
      break;
  }
}

function noteChanges(now) {
  // Who was here when this page came is no news.
  if (people[me] === undefined) return;
  for (const [id, name] of Object.entries(now)) if (!(id in people)) note(`${name} came in.`);
  for (const [id, name] of Object.entries(people)) if (!(id in now)) note(`${name} left.`);
}

function showPeople(now) {
  people = now;
  const others = Object.entries(now).filter(([id]) => id !== me);
  others.sort(([, a], [, b]) => a.localeCompare(b));

  const whom = to.selectedOptions[0];
  const options = others.map(([id, name]) => new Option(`To ${name}`, id));
  // What is meant for one who left must not go to everyone instead.
  if (whom?.value && !(whom.value in now)) options.push(whom);
  to.replaceChildren(new Option("To everyone", ""), ...options);
  to.value = whom?.value ?? "";

  const entries = others.map(([id, name]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.title = `Whisper to ${name}`;
    button.append(faceOf(name), nameOf(name));
    button.onclick = () => {
      to.value = id;
      showWhom();
      field.focus();
    };
    return button;
  });
  if (now[me] !== undefined) {
    const self = document.createElement("p");
    self.append(faceOf(now[me]), nameOf(`${now[me]} (you)`));
    entries.unshift(self);
  }
  element("people").replaceChildren(...entries.map((entry) => {
    const item = document.createElement("li");
    item.append(entry);
    return item;
  }));
  showWhom();
}

// A letter on a color, both of the name.
function faceOf(name) {
  const face = document.createElement("span");
  face.className = "face";
  face.ariaHidden = "true";
  face.textContent = [...name][0].toUpperCase();
  let hue = 0;
  for (const letter of name) hue = (hue * 31 + letter.codePointAt(0)) % 360;
  face.style.setProperty("--hue", hue);
  return face;
}

function nameOf(text) {
  const label = document.createElement("span");
  label.className = "name";
  label.textContent = text;
  return label;
}

// When each that types is to be forgotten.
const typists = new Map();

function showTyping(name) {
  typists.set(name, performance.now() + TYPING_MS + 1_000);
  setTimeout(showTypists, TYPING_MS + 1_000);
  showTypists();
}

function showTypists() {
  for (const [name, end] of typists) if (end <= performance.now()) typists.delete(name);
  const names = [...typists.keys()];
  let text = "";
  if (names.length > 0) text = `${names[0]} is typing…`;
  if (names.length > 1) text = `${names.length} people are typing…`;
  element("typing").textContent = curious.checked ? text : "";
}

// ---- Listing ---------------------------------------------------------------

function listMessage(message) {
  const { from, text, at_ms } = message;
  typists.delete(from);
  showTypists();
  const entry = list(from, text, from === name ? "message own" : "message", at_ms);
  entry.dataset.key = keyOf(message);
}

function keyOf({ at_ms, from }) {
  return `${at_ms} ${from}`;
}

function listWhisper({ from, to, text }) {
  const own = from === people[me];
  list(own ? `You whisper to ${to}` : `${from} whispers`, text, own ? "whisper own" : "whisper");
}

function note(text) {
  list("", text, "note");
}

function list(from, text, kind, at = Date.now()) {
  const time = document.createElement("time");
  time.dateTime = new Date(at).toISOString();
  time.textContent = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

  const who = document.createElement("b");
  who.textContent = from;
  const body = document.createElement("span");
  // Always `textContent`: what others typed must never become markup.
  body.textContent = text;
  // Reads from right to left where its own letters do.
  who.dir = body.dir = "auto";

  const entry = document.createElement("li");
  entry.className = kind;
  if (from !== "") entry.append(who);
  entry.append(body, " ", time);
  messages.append(entry);
  if (messages.childElementCount > MAX_ENTRIES) messages.firstElementChild.remove();
  follow();
  return entry;
}

// The list follows the newest entry only while its end is in view, so a reader
// who scrolled back is not torn away.
let atEnd = true;

function follow() {
  if (atEnd) log.scrollTop = log.scrollHeight;
}

log.addEventListener("scroll", () => {
  atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 16;
});
// A phone's keyboard takes room away, and so may a line of error text.
new ResizeObserver(follow).observe(log);

// ---- Saying ----------------------------------------------------------------

function say(words) {
  socket.send(JSON.stringify(words));
}

function isLive() {
  return socket?.readyState === WebSocket.OPEN;
}

let lastText = "";
let typingToldAt = -Infinity;

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  field.focus();
  const text = field.value;
  if (text.trim() === "") return;
  if (!isLive()) return showError("There is no connection. Your message was not sent.");
  say(to.value === "" ? { say: "message", text } : { say: "whisper", to: to.value, text });
  element("error").textContent = "";
  lastText = text;
  field.value = "";
  atEnd = true;
  typingToldAt = -Infinity;
});

function showError(text) {
  element("error").textContent = text;
  // Nothing typed is lost, unless something new has been typed since.
  if (field.value === "") field.value = lastText;
}

field.addEventListener("input", () => {
  // Whispers are nobody else's business.
  if (!isLive() || to.value !== "" || field.value.trim() === "") return;
  if (performance.now() - typingToldAt < TYPING_MS) return;
  typingToldAt = performance.now();
  say({ say: "typing" });
});

field.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  to.value = "";
  showWhom();
});

to.addEventListener("change", showWhom);

function showWhom() {
  const whispers = to.value !== "";
  element("form").classList.toggle("whispers", whispers);
  field.placeholder = whispers ? "Whisper" : "Say something";
}

curious.addEventListener("change", () => {
  showTypists();
  if (isLive()) say({ say: "curious", on: curious.checked });
});

if (name === null) openDoor();
else connect();
