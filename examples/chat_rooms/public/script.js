// The page of the example: one room, as a client of `pode.v1`. So it knows who is there,
// and after a cut it comes back as the same one, to what it missed.
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
  socket = ticket = undefined;
  isLive = false;
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

function asSentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1).trimEnd()}.`;
}

// ---- The connection --------------------------------------------------------

let socket;
// Where to go on: the numbering, and the place in it. Unknown before the first hello.
let epoch, at;
// By which the server knows this client again. A page that is loaded again finds it here;
// a copy of a tab doesn't, as it is somebody else.
const TICKET = "chat_rooms.ticket";
let ticket = sessionStorage.getItem(TICKET) ?? undefined;
sessionStorage.removeItem(TICKET);
addEventListener("pagehide", () => {
  if (ticket !== undefined) sessionStorage.setItem(TICKET, ticket);
});
addEventListener("pageshow", () => sessionStorage.removeItem(TICKET));
// Whether this visit has been let in once: then it is let in again, sooner or later.
let wasIn = false;
// Whether what was said before has come: what comes then is news.
let isLive = false;
// Connections that failed or ended in a row.
let failures = 0;
// Set while waiting for the next try, and only then.
let retry;

function connect() {
  clearTimeout(retry);
  retry = undefined;
  showConnection("connecting", failures === 0 ? "Connecting" : "Reconnecting");

  const url = new URL(`ws://${location.host}/rooms/${encodeURIComponent(ROOM)}`);
  url.searchParams.set("name", name);
  if (at !== undefined) url.searchParams.set("resume", `${epoch}-${at}`);
  const protocols = ["pode.v1"];
  if (ticket !== undefined) protocols.push(`pode.ticket.${ticket}`);

  let liveAt;
  const mine = new WebSocket(url, protocols);
  socket = mine;
  isLive = false;
  mine.onmessage = ({ data }) => {
    if (socket !== mine) return;
    hear(JSON.parse(data));
    if (isLive) liveAt ??= performance.now();
  };
  // Comes at the end of every connection, also of one that never opened.
  mine.onclose = ({ code, reason }) => {
    if (socket !== mine) return;
    if (!wasIn && code >= 4400 && code < 4500) return openDoor(asSentence(reason));
    if (isLive) note("The connection was lost.");
    isLive = false;
    const stable = liveAt !== undefined && performance.now() - liveAt >= STABLE_MS;
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

// ---- Hearing ---------------------------------------------------------------

let me;
// Who is there, by id: `{ name, is_typing }`. Of very many, only their number is told.
let people = {};
let areCounted = false;

function hear(told) {
  const isGap = told.resumed === false || (isLive && "gap" in told);
  epoch = told.epoch ?? epoch;
  at = told.gap?.[1] ?? told.live ?? told.at ?? at;
  ticket = told.ticket ?? ticket;
  me = told.me ?? me;
  wasIn = true;
  if (isGap) note("Some messages may be missing here.");
  if ("error" in told) showError(asSentence(told.error));
  if ("data" in told) listMessage(told.data);
  if ("here" in told) showPeople(told.here ?? {}, told.count);
  if ("join" in told) join(told.join, told.info);
  if ("leave" in told) showPeople(without(told.leave));
  if ("live" in told) {
    isLive = true;
    isTyping = false;
    showConnection("live", "Live");
  }
}

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
  if (isLive && !areCounted && count === undefined) noteChanges(now);
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

function say(words) {
  socket.send(JSON.stringify({ data: words }));
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
  if (!isLive) return showError("There is no connection. Your message was not sent.");
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
  if (!isLive || on === isTyping) return;
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
else connect();
