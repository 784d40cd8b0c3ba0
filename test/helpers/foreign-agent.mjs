// An agent for Node that has nothing of this project but docs/protocol.md: what that page doesn't say, it can't know.
// `node foreign-agent.mjs PORT HOST TOKEN NAME LOCAL_PORT`; says "up" when visitors may come.

import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { connect } from "node:net";

const [port, host, token, subdomain, localPort] = process.argv.slice(2);

/** Section 1. */
function register() {
  const body = { subdomain, agentId: "foreign-agent", generation: Date.now(), version: "0.1.0", connections: 1 };
  const headers = { Host: host, Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  return new Promise((resolve, reject) => {
    const call = request({ port, host: "127.0.0.1", method: "POST", path: "/_tunnel/register", headers }, (answer) => {
      let text = "";
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => (answer.statusCode < 400 ? resolve(JSON.parse(text)) : reject(new Error(text))));
    });
    call.on("error", reject);
    call.end(JSON.stringify(body));
  });
}

/** Section 2. Bytes that follow the 101 come to `onBytes`, too. */
async function openSession({ session, ticket }, onBytes) {
  const headers = {
    ...{ Host: host, Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13" },
    ...{ "Sec-WebSocket-Key": randomBytes(16).toString("base64"), "Sec-WebSocket-Protocol": "digit-link.v1" },
  };
  const call = request({ port, host: "127.0.0.1", path: `${session.path}?ticket=${ticket}`, headers });
  call.end();
  return new Promise((resolve, reject) => {
    call.on("error", reject);
    call.on("response", ({ statusCode }) => reject(new Error(`no session: ${statusCode}`)));
    call.on("upgrade", (_, socket, first) => {
      socket.on("data", onBytes);
      socket.on("close", () => process.exit(0));
      resolve(socket);
      onBytes(first);
    });
  });
}

let socket;
/** A binary message, masked with zeros: the server is on this machine. */
function send(...frames) {
  const message = Buffer.concat(frames);
  const { length } = message;
  const size = length < 126 ? Buffer.from([0x80 | length]) : Buffer.alloc(length < 65_536 ? 3 : 9);
  if (size.length > 1) size.writeUInt8(0x80 | (size.length === 3 ? 126 : 127), 0);
  if (size.length === 3) size.writeUInt16BE(length, 1);
  if (size.length === 9) size.writeBigUInt64BE(BigInt(length), 1);
  socket.write(Buffer.concat([Buffer.from([0x82]), size, Buffer.alloc(4), message]));
}

/** Section 3. */
function frame(type, stream, payload = Buffer.alloc(0), flags = 0) {
  const header = Buffer.alloc(8);
  header.writeUInt8(type, 0);
  header.writeUInt8(flags, 1);
  header.writeUInt16BE(payload.length, 2);
  header.writeUInt32BE(stream, 4);
  return Buffer.concat([header, payload]);
}

const u32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

const [FIN, MORE, HEAD_METHOD, CHUNKED] = [1, 2, 8, 16];
const streams = new Map();

function openStream(id, flags, credit, head) {
  const local = connect(Number(localPort), "127.0.0.1");
  const stream = { local, credit, isChunked: (flags & CHUNKED) !== 0, isRaw: false, waiting: [], ended: null };
  streams.set(id, stream);
  local.write(head);
  const over = () => {
    streams.delete(id);
    local.destroy();
  };
  const reset = (code, why) => {
    if (!streams.has(id)) return;
    send(frame(6, id, Buffer.concat([Buffer.from([0, code]), Buffer.from(why)])));
    over();
  };
  stream.over = over;
  /** Sends what there is credit for; the local service is read no further while something waits. */
  stream.flush = () => {
    while (stream.waiting.length > 0 && stream.credit > 0) {
      const piece = stream.waiting.shift();
      const length = Math.min(piece.length, stream.credit, 32_768);
      stream.credit -= length;
      send(frame(4, id, piece.subarray(0, length)));
      if (length < piece.length) stream.waiting.unshift(piece.subarray(length));
    }
    if (stream.waiting.length > 0) return local.pause();
    local.resume();
    if (stream.ended === null) return;
    send(frame(5, id, stream.ended));
    stream.ended = null;
    if (!stream.isRaw) over();
  };
  const body = (bytes) => {
    if (bytes.length > 0) stream.waiting.push(bytes);
    stream.flush();
  };
  const end = (trailers = Buffer.alloc(0)) => {
    stream.ended = trailers;
    stream.flush();
  };
  let pending = Buffer.alloc(0);
  let state = "head";
  let left = 0;
  const read = (bytes) => {
    pending = Buffer.concat([pending, bytes]);
    for (;;) {
      if (state === "raw" || state === "close") {
        body(pending);
        pending = Buffer.alloc(0);
        return;
      }
      if (state === "length" || state === "chunk") {
        const piece = pending.subarray(0, left);
        pending = pending.subarray(piece.length);
        left -= piece.length;
        body(piece);
        if (left > 0) return;
        if (state === "length") return end();
        state = "chunk end";
      }
      const mark = state === "head" ? "\r\n\r\n" : "\r\n";
      const at = pending.indexOf(mark);
      if (at < 0) return;
      const text = pending.toString("latin1", 0, at);
      const bytesOfHead = pending.subarray(0, at + mark.length);
      if (state === "trailers" && at > 0) {
        const last = pending.indexOf("\r\n\r\n");
        if (last < 0) return;
        return end(pending.subarray(0, last + 2));
      }
      pending = pending.subarray(at + mark.length);
      if (state === "trailers") return end();
      if (state === "chunk end") state = "size";
      else if (state === "size") {
        left = Number.parseInt(text, 16);
        state = left === 0 ? "trailers" : "chunk";
      } else {
        const status = Number(text.slice(9, 12));
        send(frame(2, id, Buffer.concat([u32(0), bytesOfHead])));
        if (status === 101) {
          stream.isRaw = true;
          state = "raw";
        } else if (status >= 200) {
          const length = /\r\ncontent-length: *(\d+)/i.exec(text);
          if ((flags & HEAD_METHOD) !== 0 || status === 204 || status === 304) return end();
          state = /\r\ntransfer-encoding: *chunked/i.test(text) ? "size" : length === null ? "close" : "length";
          left = Number(length?.[1] ?? 0);
          if (state === "length" && left === 0) return end();
        }
      }
    }
  };
  local.on("data", read);
  local.on("error", (error) => reset(error.code === "ECONNREFUSED" ? 2 : 3, error.message));
  local.on("end", () => (state === "raw" || state === "close" ? end() : reset(3, "it broke off")));
}

let partial = null;
function hear(type, flags, id, payload) {
  const stream = streams.get(id);
  switch (type) {
    case 1:
    case 3:
      if (type === 1) partial = { flags, credit: payload.readUInt32BE(0), parts: [payload.subarray(8)] };
      else partial.parts.push(payload);
      if ((flags & MORE) === 0) openStream(id, partial.flags, partial.credit, Buffer.concat(partial.parts));
      return;
    case 4:
    case 5: {
      if (stream === undefined) return;
      const { local, isChunked, isRaw } = stream;
      const isEnd = type === 5 || (flags & FIN) !== 0;
      const grant = () => send(frame(7, id, u32(payload.length)));
      if (type === 4 && payload.length > 0) {
        const chunk = [Buffer.from(`${payload.length.toString(16)}\r\n`), payload, Buffer.from("\r\n")];
        local.write(isChunked && !isRaw ? Buffer.concat(chunk) : payload, grant);
      }
      if (!isEnd) return;
      if (isRaw) local.end();
      else if (isChunked)
        local.write(Buffer.concat([Buffer.from("0\r\n"), type === 5 ? payload : Buffer.alloc(0), Buffer.from("\r\n")]));
      return;
    }
    case 6:
      return stream?.over();
    case 7:
      if (stream === undefined) return;
      stream.credit += payload.readUInt32BE(0);
      return stream.flush();
    case 8:
      return send(frame(9, 0, payload));
    case 11:
      return console.log("up");
    case 13: {
      const answer = (result) => send(frame(14, id, Buffer.from(JSON.stringify(result))));
      const trial = connect(Number(localPort), "127.0.0.1", () => {
        trial.destroy();
        answer({ ok: true, ms: 1 });
      });
      trial.on("error", (error) => answer({ ok: false, error: error.message }));
    }
  }
}

let unread = Buffer.alloc(0);
function onBytes(bytes) {
  unread = Buffer.concat([unread, bytes]);
  for (;;) {
    if (unread.length < 2) return;
    let [length, at] = [unread[1] & 0x7f, 2];
    if (length === 126) [length, at] = [unread.length < 4 ? Infinity : unread.readUInt16BE(2), 4];
    else if (length === 127) [length, at] = [unread.length < 10 ? Infinity : Number(unread.readBigUInt64BE(2)), 10];
    if (unread.length < at + length) return;
    const isBinary = (unread[0] & 15) === 2;
    const message = unread.subarray(at, at + length);
    unread = unread.subarray(at + length);
    for (let i = 0; isBinary && i < message.length;) {
      const end = i + 8 + message.readUInt16BE(i + 2);
      hear(message[i], message[i + 1], message.readUInt32BE(i + 4), message.subarray(i + 8, end));
      i = end;
    }
  }
}

const granted = await register();
let early = [];
socket = await openSession(granted, (bytes) => (socket === undefined ? early.push(bytes) : onBytes(bytes)));
for (const bytes of early) onBytes(bytes);
early = [];
