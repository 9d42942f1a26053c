// The page of the example: plots what the timer sends, lists what the schedule
// says.

import { signal } from "/_pode/pode.js";

// As many as the plot is wide: a minute of samples.
const SAMPLES = 240;
const CHIMES = 6;

const element = (id) => document.getElementById(id);

// ---- The timer -------------------------------------------------------------

const levels = [];

function plot({ count, level }) {
  levels.push(level);
  if (levels.length > SAMPLES) levels.shift();

  // The newest stands at the right edge, however few there are.
  const first = SAMPLES - levels.length;
  const points = levels.map((level, index) => `${first + index + 1} ${(-40 * Math.tanh(level)).toFixed(2)}`);
  const line = `M${points.join("L")}`;
  element("line").setAttribute("d", line);
  element("area").setAttribute("d", `${line}V0H${first + 1}Z`);

  // A true minus sign is as wide as a plus, so the number stands still.
  element("level").textContent = `${level < 0 ? "−" : "+"}${Math.abs(level).toFixed(2)}`;
  element("count").textContent = `tick ${count.toLocaleString("en")}`;
}

// ---- The schedule ----------------------------------------------------------

let due;

function list({ count, next }) {
  const time = document.createElement("time");
  const now = new Date();
  time.dateTime = now.toISOString();
  time.textContent = now.toLocaleTimeString();
  const entry = document.createElement("li");
  entry.append(time, ` Minute no. ${count} is full.`);
  element("chimes").prepend(entry);
  if (element("chimes").childElementCount > CHIMES) element("chimes").lastElementChild.remove();
  due = next;
  countDown();
}

function countDown() {
  if (due === undefined || due === null) return;
  const seconds = Math.max(0, Math.ceil((due - Date.now()) / 1_000));
  element("due").textContent = `The next one is due in ${seconds} s.`;
}
setInterval(countDown, 1_000);

// ---- The connections -------------------------------------------------------

const samples = signal("/samples");
const chimes = signal("/chimes");
samples.on(plot);
chimes.on(list);
for (const one of [samples, chimes]) one.on("state", showConnection);

function showConnection() {
  const all = samples.state === "live" && chimes.state === "live";
  const text = all ? "Live" : "Connecting";
  element("connection").dataset.state = all ? "live" : "connecting";
  // Assigning the same text again would make screen readers repeat it.
  if (element("connection").textContent !== text) element("connection").textContent = text;
}
