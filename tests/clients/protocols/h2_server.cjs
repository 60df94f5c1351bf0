// A server of h2 and nothing else, by node's own http2 and `ws`: `h2_server.cjs CERTIFICATE KEY PORT`.
// It has a page that opens a WebSocket, and the WebSocket (RFC 8441), which echoes.
const { readFileSync } = require("node:fs");
const { createSecureServer } = require("node:http2");
const { WebSocket } = require("ws");

const [certificate, key, port] = process.argv.slice(2);
const page = readFileSync(`${__dirname}/page.html`);

const server = createSecureServer({
  cert: readFileSync(certificate),
  key: readFileSync(key),
  allowHTTP1: false,
  settings: { enableConnectProtocol: true },
});

server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  if (headers[":method"] === "CONNECT" && headers[":protocol"] === "websocket") {
    stream.respond({ ":status": 200, "sec-websocket-protocol": "chat" });
    const socket = new WebSocket(null, undefined, { autoPong: true });
    socket.setSocket(stream, Buffer.alloc(0), { maxPayload: 1 << 20, skipUTF8Validation: false, allowSynchronousEvents: true });
    socket.on("message", (data, binary) => socket.send(data, { binary }));
    socket.on("error", () => {});
    return;
  }
  const seconds = headers[":path"] === "/seconds" ? 3 : 0;
  setTimeout(() => {
    if (stream.destroyed) return;
    stream.respond({ ":status": 200, "content-type": "text/html" });
    stream.end(page);
  }, seconds * 1000);
});
server.listen(Number(port), "127.0.0.1");
