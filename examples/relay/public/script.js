// The page of the example: draws the prices that come, orders others, and shows
// how the lines are that they come by.
//
// What is watched is shown as the server says, so every window shows the same,
// and nothing is shown before the server knows of it.

import { signal } from "/_pode/pode.js";

// As many as a crop's plot is wide: half a minute of prices.
const PRICES = 60;

const element = (id) => document.getElementById(id);

// Assigning the same text again would make screen readers repeat it.
function show(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

// ---- The prices ------------------------------------------------------------

const crops = new Map();
for (const button of element("crops").querySelectorAll("button")) {
  crops.set(button.value, { button, prices: [] });
}

// When prices came, in the last second.
let arrivals = [];

function draw({ crop, cents }) {
  arrivals.push(performance.now());
  const { button, prices } = crops.get(crop);
  prices.push(cents);
  if (prices.length > PRICES) prices.shift();

  // However little they differ, prices fill the height; ten cents at least.
  const lowest = Math.min(...prices);
  const range = Math.max(Math.max(...prices) - lowest, 10);
  const first = PRICES - prices.length + 1;
  const points = prices.map((price, index) => `${first + index} ${(18 - (16 * (price - lowest)) / range).toFixed(2)}`);
  const line = `M${points.join("L")}`;
  button.querySelector(".line").setAttribute("d", line);
  button.querySelector(".area").setAttribute("d", `${line}V20H${first}Z`);

  button.querySelector("output").textContent = (cents / 100).toFixed(2);
  const change = cents - prices[0];
  button.dataset.change = Math.sign(change);
  // A true minus sign is as wide as a plus, so the number stands still.
  button.querySelector(".change").textContent = `${change < 0 ? "−" : "+"}${(Math.abs(change) / 100).toFixed(2)}`;
}

setInterval(() => {
  const now = performance.now();
  arrivals = arrivals.filter((arrival) => now - arrival < 1_000);
  show(element("rate"), arrivals.length === 0 ? "quiet" : `${arrivals.length} a second`);
  element("downstream").dataset.state = prices.state === "live" && arrivals.length > 0 ? "live" : "connecting";
}, 250);

// ---- The line to the feed --------------------------------------------------

function showLine({ is_connected, connections, watched }) {
  element("upstream").dataset.state = is_connected ? "live" : "waiting";
  const text = is_connected ? `connection no. ${connections}` : "down, trying again";
  show(element("line"), text);
  element("cut").querySelector("button").disabled = !is_connected;
  for (const [crop, { button }] of crops) {
    button.setAttribute("aria-pressed", watched.includes(crop));
  }
}

// ---- Ordering --------------------------------------------------------------

for (const form of document.forms) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    element("error").textContent = await post(form, new FormData(form, event.submitter));
  });
}

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

// ---- The connections -------------------------------------------------------

const prices = signal("/prices");
const line = signal("/line");
prices.on(draw);
line.on(showLine);
for (const one of [prices, line]) one.on("state", showConnection);

function showConnection() {
  const all = prices.state === "live" && line.state === "live";
  element("connection").dataset.state = all ? "live" : "connecting";
  show(element("connection"), all ? "Live" : "Connecting");
  if (line.state === "live") return;
  // Nobody tells how the line to the feed is.
  element("upstream").dataset.state = "connecting";
  show(element("line"), "unknown");
}
