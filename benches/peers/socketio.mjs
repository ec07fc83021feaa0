// Rooms by a parameter of the handshake; a POST to /ROOM says something there.
import { createServer } from "node:http";
import { Server } from "socket.io";

const server = createServer();
const io = new Server(server, { transports: ["websocket"], perMessageDeflate: false, pingInterval: 3_600_000 });
io.on("connection", (socket) => socket.join(`/${socket.handshake.query.room}`));
server.on("request", (request, response) => {
  if (request.url.startsWith("/socket.io/")) return;
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    io.to(request.url).emit("message", Buffer.concat(parts).toString());
    response.setHeader("Content-Length", 2).end("ok");
  });
});
server.keepAliveTimeout = 0;
server.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 4096 });
