// A broadcast by Bun's own publish and subscribe.
import { serve } from "./protocol.mjs";

const paths = Number(process.argv[2]);

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const topic = new URL(request.url).pathname.slice(1);
    if (!server.upgrade(request, { data: { topic } })) return new Response(null, { status: 426 });
  },
  websocket: {
    open(client) { client.subscribe(client.data.topic); },
    message() {},
  },
});

await serve(server.port, paths, (path, text) => server.publish(String(path), text));
