// The two envelopes, `/ws` and `/ws/v1`: how messages are written, and what is read from them.

import type { OutgoingMessage, SocketMessage } from './types.js';

/** What a client has to know of a message, whatever its envelope. */
export interface Incoming {
  readonly type: string;
  readonly message: SocketMessage;
  /** The fields of an answer or a notice. */
  readonly body: Readonly<Record<string, any>>;
  /** The id of the message that this one answers. */
  readonly answers: string | undefined;
  /** The log in which the event stands: of what is heard through `agent:*` that is `agent:*`. */
  readonly log: string | undefined;
  readonly seq: number | undefined;
  /** Where the client stands after it, in all channels. */
  readonly cursor: string | undefined;
}

/** Sets and reads one envelope. */
export interface Format {
  readonly name: 'flat' | 'envelope';
  encode(message: OutgoingMessage, id: string | undefined, sessionId: string | undefined): object;
  decode(message: SocketMessage): Incoming;
}

/** Types that answer a message. Nobody can publish them. */
const ANSWERS = new Set([
  'ack', 'error', 'pong', 'subscribed', 'unsubscribed', 'subscription_update', 'welcome', 'auth_success', 'auth_failure',
]);

/** Types whose data says where the client stands. In any other, a member `cursor` is somebody's own. */
const WITH_CURSOR = new Set(['connect', 'auth_success', 'subscription_update']);
const NOTICES = new Set(['projectreset', 'channelreset', 'sessionreset', 'projectaccessrevoked', 'channelaccessrevoked']);

const text = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
const seqOf = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined);
const object = (value: unknown): Record<string, any> =>
  value !== null && typeof value === 'object' ? (value as Record<string, any>) : {};

const flat: Format = {
  name: 'flat',
  encode(message, id, sessionId) {
    return { ...message, ...(id !== undefined && { id }), ...(sessionId !== undefined && { sessionId }) };
  },
  decode(message) {
    const { type } = message;
    return {
      type,
      message,
      body: message,
      answers: ANSWERS.has(type) ? text(message['id']) : undefined,
      log: text(message['pattern'] ?? message['channel']),
      seq: seqOf(message['seq']),
      // An ack's cursor is of its own project alone.
      cursor: type === 'ack' ? undefined : text(message['cursor']),
    };
  },
};

const envelope: Format = {
  name: 'envelope',
  encode({ id: _, type, data, metadata, timestamp, ...rest }, id, sessionId) {
    return {
      ...(id !== undefined && { id }),
      type,
      timestamp: typeof timestamp === 'number' ? timestamp : Date.now(),
      data: data ?? rest,
      metadata: { version: '1.0', ...object(metadata) },
      ...(sessionId !== undefined && { sessionId }),
    };
  },
  decode(message) {
    const { type } = message;
    const [data, metadata] = [object(message.data), object(message['metadata'])];
    const isAck = type === 'ack';
    return {
      type,
      message,
      // The fields of an ack stand beside `data` or in it.
      body: isAck && 'ok' in message ? message : data,
      answers: ANSWERS.has(type) ? text(metadata['correlationId'] ?? (isAck ? message['id'] : undefined)) : undefined,
      log: text(metadata['pattern'] ?? metadata['channel']),
      seq: seqOf(metadata['seq']),
      cursor: text(metadata['cursor'] ?? (tellsCursor(type) ? data['cursor'] : undefined)),
    };
  },
};

const tellsCursor = (type: string): boolean => WITH_CURSOR.has(type) || NOTICES.has(bareType(type));

/** The format of an address, unless one was named. */
export function formatOf(url: URL, named: 'flat' | 'envelope' | undefined): Format {
  const name = named ?? (/\/v1\/?$/.test(url.pathname) ? 'envelope' : 'flat');
  return name === 'envelope' ? envelope : flat;
}

/** A type without its spelling: `task:status_changed`, `task-status-changed` and `taskStatusChanged` are the same. */
export const bareType = (type: string): string => type.replace(/[:._-]/g, '').toLowerCase();
