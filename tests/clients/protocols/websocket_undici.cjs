// Speaks over a WebSocket by node's own client, undici: `websocket_undici.cjs HOST`.
const { WebSocket } = require("undici");

const socket = new WebSocket(`wss://${process.argv[2]}/socket`, "chat");
const large = "x".repeat(200_000);
let left = 2;
socket.onopen = () => ["hello", large].forEach((message) => socket.send(message));
socket.onmessage = ({ data }) => {
  if (data !== "hello" && data !== large) throw new Error("another message came back");
  if (--left === 0) {
    console.log(`small and large, by ${socket.protocol}: all seen`);
    socket.close();
  }
};
socket.onerror = (event) => {
  console.error(`no socket: ${event.message ?? event.error}`);
  process.exitCode = 1;
};
