// The line protocol of the benchmark, for peers in JavaScript: see
// src/protocol.rs.
import { createInterface } from "node:readline";

const GRACE_NS = 250_000_000n;

const hex = (number) => BigInt(number).toString(16).padStart(16, "0");

/// Makes the path's next message, as JSON, published now.
const message = (sequence, now, bytes) =>
  JSON.stringify((hex(sequence) + hex(now)).padEnd(bytes - 2, "."));

const sleep = (nanoseconds) =>
  new Promise((resolve) => setTimeout(resolve, Number(nanoseconds) / 1e6));

async function publishAll(paths, publish, clock, [bytes, messages, rate, burst]) {
  const start = clock();
  const deadline = BigInt(Math.round((messages / rate) * 1e9)) + GRACE_NS;
  for (let number = 0; number < messages; number++) {
    const due = BigInt(Math.floor((Math.floor(number / burst) * burst * 1e9) / rate));
    let now = clock() - start;
    while (now < due) {
      await sleep(due - now);
      now = clock() - start;
    }
    if (now > deadline) return number;
    publish(number % paths, message(Math.floor(number / paths), clock(), bytes));
  }
  return messages;
}

/// Obeys requests until standard input ends; `publish` takes a path's index
/// and a text, `clock` tells CLOCK_MONOTONIC in nanoseconds.
export async function serve(port, paths, publish, clock = process.hrtime.bigint) {
  console.log(`listening ${port}`);
  for await (const line of createInterface({ input: process.stdin })) {
    const values = line.trim().split(" ").slice(1).map(Number);
    console.log(`done ${await publishAll(paths, publish, clock, values)}`);
  }
  process.exit(0);
}
