// The page of the example: posts votes, shows how they stand.
//
// Voting and counting are two roads. A vote goes to the server by an ordinary
// form post; how the votes stand comes by the signal, to every window alike.
// So no vote is shown before the server has it.

import { signal } from "/_pode/pode.js";

const element = (id) => document.getElementById(id);
const form = element("form");
const choices = [...form.querySelectorAll("button")];

// ---- Counting --------------------------------------------------------------

// As it came last: it comes four times a second, whether or not it changed.
let shown;

function show(count) {
  const text = JSON.stringify(count);
  if (text === shown) return;
  shown = text;

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

const WORDS = { connecting: "Connecting", live: "Live, encrypted", waiting: "Reconnecting" };

// The page came by https, so this is by wss.
const count = signal("/count");
count.on(show);
count.on("state", (state) => {
  element("connection").dataset.state = state;
  element("state").textContent = WORDS[state] ?? element("state").textContent;
});

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
