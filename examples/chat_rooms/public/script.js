// The page of the example: one room, and who is there.
//
// What is said goes to the server and comes back to everyone, this page
// included. So nothing is listed here before it has been all the way.

import { signal } from "/_pode/pode.js";

const ROOM = document.body.dataset.room;

// Older entries are dropped, or a tab left open for a week would grow forever.
const MAX_ENTRIES = 500;

// Who hasn't typed for so long is typing no more.
const TYPING_MS = 3_000;

const element = (id) => document.getElementById(id);
const door = element("door");
const log = element("log");
const messages = element("messages");
const field = element("message");
const to = element("to");

// ---- At the door -----------------------------------------------------------

// Kept for this tab, so that reloading it doesn't ask again.
const NAME = "chat_rooms.name";
let name = sessionStorage.getItem(NAME);

function openDoor(refusal = "") {
  room?.close();
  room = undefined;
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
  const other = element("room").value.trim();
  if (other !== ROOM) {
    location.href = `/rooms/${encodeURIComponent(other)}`;
    return;
  }
  enter();
});
door.addEventListener("close", () => field.focus());
// There is nothing to see behind it.
door.addEventListener("cancel", (event) => event.preventDefault());

element("leave").addEventListener("click", () => openDoor());

function asSentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).trimEnd()}.`;
}

// ---- The connection --------------------------------------------------------

let room;

function enter() {
  // What was said last comes with the visit.
  messages.replaceChildren();
  // Whether this visit has been let in: then it is let in again, sooner or later.
  let wasIn = false;
  const mine = signal(`/rooms/${encodeURIComponent(ROOM)}?name=${encodeURIComponent(name)}`);
  room = mine;
  mine.on("hello", (hello) => {
    wasIn = true;
    me = hello.me;
  });
  mine.on("close", ({ code, reason }) => {
    if (!wasIn && code >= 4400 && code < 4500) openDoor(asSentence(reason));
  });
  mine.on("state", (state) => {
    if (room === mine) showState(state);
  });
  mine.on("gap", () => note("Some messages may be missing here."));
  mine.on(listMessage);
  mine.on("here", ({ here, count }) => showPeople(here ?? {}, count));
  mine.on("join", ({ join: id, info }) => join(id, info));
  mine.on("leave", ({ leave }) => showPeople(without(leave)));
}

// Until what was said before has come, nothing is news.
const isLive = () => room?.state === "live";
let wasLive = false;

function showState(state) {
  if (wasLive && state === "waiting") note("The connection was lost.");
  wasLive = state === "live";
  if (state === "live") {
    isTyping = false;
    showConnection("live", "Live");
  }
  if (state === "connecting") showConnection("connecting", "Connecting");
  if (state === "waiting") showConnection("waiting", "Reconnecting");
}

function showConnection(state, text) {
  element("connection").dataset.state = state;
  // Assigning the same text again would make screen readers repeat it.
  if (element("state").textContent !== text) element("state").textContent = text;
}

// ---- Hearing ---------------------------------------------------------------

let me;
// Who is there, by id: `{ name, is_typing }`. Of very many, only their number is told.
let people = {};
let areCounted = false;

function join(id, person) {
  if (!(id in people)) return showPeople({ ...people, [id]: person });
  // Who is there already begins or ends to type.
  people[id] = person;
  showTypists();
}

function without(id) {
  const { [id]: _, ...others } = people;
  return others;
}

function noteChanges(now) {
  for (const id in now) if (!(id in people) && id !== me) note(`${now[id].name} came in.`);
  for (const id in people) if (!(id in now)) note(`${people[id].name} left.`);
}

function showPeople(now, count) {
  // Who was here when this page came is no news, nor is who was among very many.
  if (isLive() && !areCounted && count === undefined) noteChanges(now);
  areCounted = count !== undefined;
  people = now;
  const others = Object.entries(now).filter(([id]) => id !== me);
  others.sort(([, a], [, b]) => a.name.localeCompare(b.name));

  const whom = to.selectedOptions[0];
  const options = others.map(([id, { name }]) => new Option(`To ${name}`, id));
  // What is meant for one who left must not go to everyone instead.
  if (whom?.value && !(whom.value in now)) options.push(whom);
  to.replaceChildren(new Option("To everyone", ""), ...options);
  to.value = whom?.value ?? "";

  const entries = others.map(([id, { name }]) => {
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
    self.append(faceOf(now[me].name), nameOf(`${now[me].name} (you)`));
    entries.unshift(self);
  }
  if (areCounted) entries.push(nameOf(`${count} people`));
  element("people").replaceChildren(...entries.map((entry) => {
    const item = document.createElement("li");
    item.append(entry);
    return item;
  }));
  showWhom();
  showTypists();
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

function showTypists() {
  const names = Object.keys(people).filter((id) => id !== me && people[id].is_typing).map((id) => people[id].name);
  let text = "";
  if (names.length > 0) text = `${names[0]} is typing…`;
  if (names.length > 1) text = `${names.length} people are typing…`;
  element("typing").textContent = text;
}

// ---- Listing ---------------------------------------------------------------

function listMessage({ from, to, text, at_ms }) {
  const own = from === name ? "own" : "";
  if (to === null) return list(from, text, `message ${own}`, at_ms);
  list(own ? `You whisper to ${to}` : `${from} whispers`, text, `whisper ${own}`, at_ms);
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

async function say(words) {
  try {
    await room.send(words);
  } catch (error) {
    showError(asSentence(error.message));
  }
}

let lastText = "";
// What others were told of this page, and the timer that ends it.
let isTyping = false;
let typingEnds;

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  field.focus();
  const text = field.value;
  if (text.trim() === "") return;
  sayTyping(false);
  say(to.value === "" ? { say: "message", text } : { say: "whisper", to: to.value, text });
  element("error").textContent = "";
  lastText = text;
  field.value = "";
  atEnd = true;
});

function showError(text) {
  element("error").textContent = text;
  // Nothing typed is lost, unless something new has been typed since.
  if (field.value === "") field.value = lastText;
}

field.addEventListener("input", () => {
  // Whispers are nobody else's business.
  sayTyping(to.value === "" && field.value.trim() !== "");
});

function sayTyping(on) {
  clearTimeout(typingEnds);
  if (on) typingEnds = setTimeout(sayTyping, TYPING_MS, false);
  if (!isLive() || on === isTyping) return;
  isTyping = on;
  say({ say: "typing", on });
}

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

if (name === null) openDoor();
else enter();
