// A broadcast by Bun's own publish and subscribe.
import { dlopen, ptr } from "bun:ffi";
import { serve, tls } from "./protocol.mjs";

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  tls,
  fetch(request, server) {
    const topic = new URL(request.url).pathname.slice(1);
    if (!server.upgrade(request, { data: { topic } })) return new Response(null, { status: 426 });
  },
  websocket: {
    open(client) { client.subscribe(client.data.topic); },
    message() {},
  },
});

// Bun counts from the start of the process; the load generator's clock doesn't.
const CLOCK_MONOTONIC = 1;
const { symbols } = dlopen("libc.so.6", {
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
});
const time = new BigInt64Array(2);
symbols.clock_gettime(CLOCK_MONOTONIC, ptr(time));
const offset = time[0] * 1_000_000_000n + time[1] - process.hrtime.bigint();

const publish = (path, text) => server.publish(String(path), text);
await serve(server.port, publish, () => process.hrtime.bigint() + offset);
