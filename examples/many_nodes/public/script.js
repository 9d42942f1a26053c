// The page of the example: speaks `pode.v1`, so it always knows its position. When its
// node dies, it goes on from there at the next one.

const PAUSE_MS = 500;
const MESSAGES = 100;

const element = (id) => document.getElementById(id);

// Where nodes are. Behind a proxy, only that is known, and it chooses.
const nodes = document.querySelector("main").dataset.nodes.split(" ").filter(Boolean);
if (nodes.length === 0) nodes.push(location.host);

// ---- What the nodes have said ----------------------------------------------

// Where to go on: the numbering, and the place in it. Unknown before the first hello.
let epoch, at;
// Of each node, the process and how far it has counted.
const counts = new Map();
let missed = 0;

function hear(told) {
  epoch = told.epoch ?? epoch;
  at = told.gap?.[1] ?? told.live ?? told.at ?? at;
  if (told.gap !== undefined) note(`Messages may be missing here: ${told.why}.`);
  if (told.error !== undefined) element("error").textContent = told.error;
  const { said, node, process, text, count } = told.data ?? {};
  if (said === "welcome") showConnection("live", `${node}, process ${process}`);
  if (said === "text") note(text, node);
  if (said === "tick") tick(node, process, count);
}

function tick(node, process, count) {
  const before = counts.get(node);
  // A process that has just begun counts anew.
  const expected = before?.process === process ? before.count + 1 : count;
  missed += Math.max(count - expected, 0);
  counts.set(node, { process, count });
  element("missed").textContent = missed === 0 ? "None was missed." : `${missed} were missed.`;
  element("nodes").replaceChildren(...[...counts].map(([node, { process, count }]) => {
    const line = document.createElement("li");
    line.textContent = `${node}, process ${process}: ${count}`;
    return line;
  }));
}

// Shows a message of a node, or a note of this page.
function note(text, node) {
  const line = document.createElement("li");
  line.className = node === undefined ? "note" : "message";
  const words = document.createElement("span");
  words.textContent = text;
  line.append(words);
  if (node !== undefined) {
    const from = document.createElement("small");
    from.textContent = `by ${node}`;
    line.append(from);
  }
  element("messages").append(line);
  if (element("messages").children.length > MESSAGES) element("messages").firstChild.remove();
  line.scrollIntoView({ block: "nearest" });
}

// ---- The connection --------------------------------------------------------

let socket;
// The node of this page comes first.
let turn = Math.max(nodes.indexOf(location.host), 0);

function connect() {
  const resume = at === undefined ? "" : `?resume=${epoch}-${at}`;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${nodes[turn]}/chat${resume}`, "pode.v1");
  socket.onmessage = ({ data }) => hear(JSON.parse(data));
  // Comes at the end of every connection, also of one that never opened.
  socket.onclose = () => {
    showConnection("connecting", "Connecting");
    turn = (turn + 1) % nodes.length;
    // The random half keeps many pages from coming back in the same instant.
    setTimeout(connect, PAUSE_MS * (1 + Math.random() / 2));
  };
}

function showConnection(state, text) {
  element("connection").dataset.state = state;
  element("connection").textContent = text;
}

// Says something to the node; returns whether there is one.
function say(data) {
  element("error").textContent = "";
  if (socket.readyState === WebSocket.OPEN) {
    socket.send(JSON.stringify({ data }));
    return true;
  }
  element("error").textContent = "There is no node at the moment.";
  return false;
}

element("kill").addEventListener("click", () => say("die"));

element("form").addEventListener("submit", (event) => {
  event.preventDefault();
  if (say({ text: element("message").value })) event.target.reset();
});

connect();
