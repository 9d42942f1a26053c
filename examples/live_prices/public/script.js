// The page of the example: shows the newest price of each crop, as a client of
// `pode.v1`. It keeps what the server has said of each, and its position, so that after
// a cut it gets what has changed since, and nothing else.

const PAUSE_MS = 1_000;
const CUT_MS = 5_000;
// How long the server may take to say hello.
const HELLO_SECONDS = 30;

const element = (id) => document.getElementById(id);

// Assigning the same text again would make screen readers repeat it.
function show(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

// ---- What the server has said ----------------------------------------------

// By crop, in cents.
const prices = new Map();
// Where to go on: the numbering, and the place in it. Unknown before the first hello.
let epoch, at;
// Messages since the connection began.
let received;
// Whether all that was missed has come: until then, nothing is drawn.
let isLive;

function hear(told) {
  epoch = told.epoch ?? epoch;
  at = told.reset ?? told.live ?? told.at ?? at;
  if ("reset" in told || told.resumed === false) {
    // It can't be known what was taken off the market meanwhile: begin anew.
    prices.clear();
    isLive = false;
  }
  if ("key" in told) {
    received += 1;
    if ("data" in told) prices.set(told.key, told.data.cents);
    else prices.delete(told.key);
  }
  if ("live" in told) {
    isLive = true;
    show(element("back"), `${received} messages came first.`);
    showConnection("live", "Live");
  }
  if (isLive) draw();
}

function draw() {
  for (const button of element("stalls").querySelectorAll("button")) {
    const cents = prices.get(button.value);
    button.setAttribute("aria-pressed", cents !== undefined);
    show(button.querySelector("output"), cents === undefined ? "not sold" : (cents / 100).toFixed(2));
  }
}

// ---- The connection --------------------------------------------------------

let socket;
let pause = PAUSE_MS;
let silence;

function connect() {
  received = 0;
  isLive = false;
  const resume = at === undefined ? "" : `?resume=${epoch}-${at}`;
  socket = new WebSocket(`ws://${location.host}/prices${resume}`, "pode.v1");
  let patience = HELLO_SECONDS;
  waitAtMost(patience);
  socket.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    // The server gives a sign of life at each beat.
    if ("hello" in told) patience = 2 * told.beat + 5;
    waitAtMost(patience);
    hear(told);
  };
  // Comes at the end of every connection, also of one that never opened.
  socket.onclose = comeBack;
}

// A network that is gone ends no connection: its silence does.
function waitAtMost(seconds) {
  clearTimeout(silence);
  silence = setTimeout(() => {
    // Their ends would be long in coming.
    socket.onmessage = socket.onclose = null;
    socket.close();
    comeBack();
  }, seconds * 1_000);
}

function comeBack() {
  clearTimeout(silence);
  showConnection("connecting", "Connecting");
  // The random half keeps many pages from coming back in the same instant.
  setTimeout(connect, pause * (1 + Math.random() / 2));
  pause = PAUSE_MS;
}

function showConnection(state, text) {
  element("connection").dataset.state = state;
  show(element("connection"), text);
}

element("cut").addEventListener("click", () => {
  pause = CUT_MS;
  socket.close();
});

// ---- The market ------------------------------------------------------------

element("stalls").addEventListener("submit", async (event) => {
  event.preventDefault();
  show(element("error"), await post(event.target, new FormData(event.target, event.submitter)));
});

// Returns what went wrong as a sentence, or nothing.
async function post({ action, method }, fields) {
  try {
    const response = await fetch(action, { method, body: new URLSearchParams(fields) });
    if (response.ok) return "";
    return (await response.text()) || `The server answered ${response.status}.`;
  } catch {
    return "The server can't be reached.";
  }
}

connect();
