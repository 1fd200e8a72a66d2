// Data that is compressed: base64 of gzip of its JSON, where `metadata.compressed` is true.

import type { OutgoingMessage } from './types.js';

/** Shorter data is not worth it. */
const MIN_LENGTH = 1_024;
/** What a compressed text may become. The server sends no more than 1 MiB. */
const MAX_BYTES = 16_777_216;

/** Puts a stream together, if it is not too long. */
async function joined(stream: ReadableStream<Uint8Array>): Promise<Uint8Array<ArrayBuffer>> {
  const reader = stream.getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > MAX_BYTES) {
      await reader.cancel();
      throw new RangeError(`it is longer than ${MAX_BYTES} bytes`);
    }
    parts.push(value);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The data that was compressed. */
export async function unpacked(packed: string): Promise<unknown> {
  const bytes = Uint8Array.from(atob(packed), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(new TextDecoder().decode(await joined(stream))) as unknown;
}

/** A message whose data is compressed, if that makes it shorter. */
export async function packed(message: OutgoingMessage): Promise<OutgoingMessage> {
  const text = JSON.stringify(message.data);
  if (text === undefined || text.length <= MIN_LENGTH) return message;
  const bytes = await joined(new Blob([text]).stream().pipeThrough(new CompressionStream('gzip')));
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  const data = btoa(binary);
  if (data.length >= text.length) return message;
  return { ...message, data, metadata: { ...(message['metadata'] as object | undefined), compressed: true } };
}
