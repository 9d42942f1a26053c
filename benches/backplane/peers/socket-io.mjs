// A node of Socket.IO, which obeys the lines in src/node/mod.rs.
import { createInterface } from "node:readline";
import { createAdapter as publishing } from "@socket.io/redis-adapter";
import { createAdapter as streams } from "@socket.io/redis-streams-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";
import { Adapter } from "socket.io-adapter";

const BYTES = 128;
const [kind, url, name] = process.argv.slice(2);

// Whatever comes to the clients of this node, from any node.
let read = 0;
const broadcast = Adapter.prototype.broadcast;
Adapter.prototype.broadcast = function (...all) {
  read += 1;
  return broadcast.apply(this, all);
};

const client = createClient({ url });
await client.connect();
let adapter;
if (kind === "socket-io") {
  const subscriber = client.duplicate();
  await subscriber.connect();
  adapter = publishing(client, subscriber, { key: name });
} else {
  adapter = streams(client, { streamName: name, maxLen: 65_536 });
}
const io = new Server({ adapter, transports: ["websocket"] });
io.of("/");

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const text = () => process.hrtime.bigint().toString(16).padStart(16, "0").padEnd(BYTES - 2, ".");

/// At a rate of 0, as many as may be.
async function publish(messages, rate) {
  const start = rate === 0 ? -Infinity : performance.now();
  for (let message = 0; message < messages; message++) {
    // It has no word for a message that Redis has.
    if (message % 512 === 511) await client.ping();
    while (performance.now() - start < (message * 1e3) / rate) await sleep(1);
    io.emit("m", text());
  }
}

// Until the subscription is there.
await sleep(500);
console.log("listening 0 0");
for await (const line of createInterface({ input: process.stdin })) {
  const [word, ...values] = line.split(" ");
  const [messages, rate] = values.map(Number);
  if (word === "publish") await publish(messages, rate);
  if (word === "settle") while (read < messages) await sleep(1);
  console.log("done ");
}
process.exit(0);
