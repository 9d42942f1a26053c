// The page of the example: posts votes, shows how they stand.
//
// Voting and counting are two roads. A vote goes to the server by an ordinary
// form post; how the votes stand comes by the signal, to every window alike.
// So no vote is shown before the server has it.

// The page came by https, so it may connect by nothing less than wss.
const SIGNAL = `wss://${location.host}/count`;

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
// A connection that ends sooner than this counts as one more failure in a row.
const STABLE_MS = 5_000;

const element = (id) => document.getElementById(id);
const form = element("form");
const choices = [...form.querySelectorAll("button")];

// ---- Counting --------------------------------------------------------------

// As it came last: it comes four times a second, whether or not it changed.
let shown;

function show(text) {
  if (text === shown) return;
  shown = text;

  const count = JSON.parse(text);
  const votes = choices.map((choice) => count[choice.value]);
  const total = votes.reduce((sum, number) => sum + number, 0);
  choices.forEach((choice, index) => {
    choice.querySelector("output").textContent = votes[index].toLocaleString("en");
    choice.style.setProperty("--share", votes[index] / Math.max(total, 1));
    choice.classList.toggle("ahead", total > 0 && votes[index] === Math.max(...votes));
  });
  element("total").textContent = total === 0
    ? "Nobody has voted yet."
    : `${total.toLocaleString("en")} ${total === 1 ? "vote" : "votes"} since the server started.`;
}

// ---- The connection --------------------------------------------------------

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
    showConnection("live", "Live, encrypted");
  };
  socket.onmessage = (event) => show(event.data);
  // Comes at the end of every connection, also of one that never opened.
  // `onerror` would come just before it and tell nothing more.
  socket.onclose = () => {
    const stable = openedAt !== undefined && performance.now() - openedAt >= STABLE_MS;
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

// ---- Voting ----------------------------------------------------------------

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { name, value } = event.submitter;
  element("error").textContent = await post(new URLSearchParams([[name, value]]));
});

// Returns what went wrong as a sentence, or nothing.
async function post(body) {
  try {
    const response = await fetch(form.action, { method: form.method, body });
    if (response.ok) return "";
    return (await response.text()) || `The server answered ${response.status}.`;
  } catch {
    return "The server can't be reached. Your vote was not counted.";
  }
}

// ---- How the page came -----------------------------------------------------

// As the two ends agreed while they shook hands: "h2" or "http/1.1".
const [{ nextHopProtocol }] = performance.getEntriesByType("navigation");
const version = { h2: "HTTP/2", "http/1.1": "HTTP/1.1" }[nextHopProtocol];
if (version) element("protocol").textContent = `by ${version}`;

connect();
