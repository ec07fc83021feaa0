// Rooms by path: a WebSocket at /ROOM listens, a POST to /ROOM says something there.
Bun.serve({
  hostname: "127.0.0.1",
  port: Number(process.argv[2]),
  async fetch(request, server) {
    const room = new URL(request.url).pathname;
    if (request.method === "POST") {
      server.publish(room, await request.text());
      return new Response("ok");
    }
    return server.upgrade(request, { data: { room } }) ? undefined : new Response("no WebSocket", { status: 400 });
  },
  websocket: {
    idleTimeout: 0,
    perMessageDeflate: false,
    open: (socket) => socket.subscribe(socket.data.room),
    message() {},
  },
});
