// A broadcast by Socket.IO, whose clients may come back for what they missed.
import http from "node:http";
import { Server } from "socket.io";
import { serve } from "./protocol.mjs";

const server = http.createServer();
const io = new Server(server, {
  transports: ["websocket"],
  connectionStateRecovery: {},
  // The load generator has no answer to its pings.
  pingInterval: 600_000,
});
server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () =>
  serve(
    server.address().port,
    (path, text) => io.emit("m", JSON.parse(text)),
    process.hrtime.bigint,
    // What is kept is no public part of the adapter; clients see the same offset
    // at the end of each message.
    () => io.of("/").adapter.packets.at(-1).id,
  ));
