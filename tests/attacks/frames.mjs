// What a client sends of HTTP and WebSockets, made by hand, so that it can be wrong, in pieces, or too much.

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** A request to go on as a WebSocket; `headers` go over the right ones, and `null` leaves one out. */
export function handshake(path, headers = {}) {
  const all = {
    Host: 'attack', Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': KEY, ...headers,
  };
  const lines = Object.entries(all).filter(([, value]) => value !== null).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

/** A client's frame, under a mask that changes nothing; `first` is its first byte. */
export function frame(first, payload = '', length = Buffer.byteLength(payload)) {
  const size = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const head = Buffer.alloc(2 + size + 4);
  head[0] = first;
  head[1] = 0x80 | (size === 0 ? length : size === 2 ? 126 : 127);
  if (size === 2) head.writeUInt16BE(length, 2);
  if (size === 8) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, Buffer.from(payload)]);
}

export const text = (payload) => frame(0x81, payload);
export const ping = (payload) => frame(0x89, payload);

/** The texts in what a server has written after its answer to a handshake. */
export function texts(raw) {
  const bytes = raw.received;
  let at = bytes.indexOf('\r\n\r\n') + 4;
  const found = [];
  while (at >= 4 && at + 2 <= bytes.length) {
    let length = bytes[at + 1] & 0x7f;
    let start = at + 2;
    if (length === 126) {
      length = bytes.readUInt16BE(start);
      start += 2;
    } else if (length === 127) {
      length = Number(bytes.readBigUInt64BE(start));
      start += 8;
    }
    if (start + length > bytes.length) break;
    if ((bytes[at] & 0x0f) === 1) found.push(bytes.subarray(start, start + length).toString());
    at = start + length;
  }
  return found;
}

/** The pieces of a body of `count` × `piece`, as HTTP's chunks. */
export function chunks(piece, count) {
  return Buffer.from(`${piece.length.toString(16)}\r\n${piece}\r\n`.repeat(count));
}
