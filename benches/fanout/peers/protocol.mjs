// The line protocol of the benchmark, for peers in JavaScript: see
// src/protocol.rs.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/// How many paths there are.
export const paths = Number(process.argv[2]);

/// The certificate and its key; absent without TLS.
const folder = process.argv[3];
export const tls = folder && {
  cert: readFileSync(`${folder}/certificate.pem`),
  key: readFileSync(`${folder}/key.pem`),
};

const GRACE_NS = 250_000_000n;

const hex = (number, digits) => number.toString(16).padStart(digits, "0");

/// Makes the path's next message, as JSON, published now.
const message = (sequence, now, bytes) =>
  JSON.stringify((hex(sequence, 6) + hex((now / 1000n) & 0xffff_ffffn, 8)).padEnd(bytes - 2, "."));

const sleep = (nanoseconds) =>
  new Promise((resolve) => setTimeout(resolve, Number(nanoseconds) / 1e6));

async function publishAll(publish, clock, [bytes, messages, rate, burst]) {
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
/// and a text, `clock` tells CLOCK_MONOTONIC in nanoseconds. With Socket.IO,
/// `offset` tells that of the last message.
export async function serve(port, publish, clock = process.hrtime.bigint, offset = undefined) {
  console.log(`listening ${port}` + (offset ? ` ${process.pid} socket.io` : ""));
  for await (const line of createInterface({ input: process.stdin })) {
    const values = line.trim().split(" ").slice(1).map(Number);
    const published = await publishAll(publish, clock, values);
    console.log(`done ${published}` + (offset ? ` ${offset()}` : ""));
  }
  process.exit(0);
}
