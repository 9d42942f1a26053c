// A broadcast as the documentation of ws shows it: a loop over clients.
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";
import { paths, serve, tls } from "./protocol.mjs";

const clients = Array.from({ length: paths }, () => new Set());

const server = tls ? https.createServer(tls) : http.createServer();
const sockets = new WebSocketServer({ server });
sockets.on("connection", (client, request) => {
  const listeners = clients[Number(request.url.slice(1))];
  listeners.add(client);
  client.on("close", () => listeners.delete(client));
  client.on("error", () => {});
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () =>
  serve(server.address().port, (path, text) => {
    for (const client of clients[path]) client.send(text);
  }));
