// A broadcast as the documentation of ws shows it: a loop over clients.
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { serve } from "./protocol.mjs";

const paths = Number(process.argv[2]);
const clients = Array.from({ length: paths }, () => new Set());

const server = createServer();
const sockets = new WebSocketServer({ server });
sockets.on("connection", (client, request) => {
  const listeners = clients[Number(request.url.slice(1))];
  listeners.add(client);
  client.on("close", () => listeners.delete(client));
  client.on("error", () => {});
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () =>
  serve(server.address().port, paths, (path, text) => {
    for (const client of clients[path]) client.send(text);
  }));
