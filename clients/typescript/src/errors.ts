// What can go wrong, as classes that a caller can tell apart.

import type { ErrorCode } from './generated.js';

/** The base class of every error of this package. */
export class BoardcastError extends Error {
  override name = 'BoardcastError';
}

/** What the server says of a message that it did not accept. */
export interface Refusal {
  readonly code?: ErrorCode | (string & {});
  readonly error?: string;
  readonly field?: string;
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly [field: string]: unknown;
}

/** The server refused a message. */
export class RefusedError extends BoardcastError {
  override name = 'RefusedError';
  /** One of the codes of the README's table. */
  readonly code: ErrorCode | (string & {});
  /** Whether the same message may be accepted later. */
  readonly retryable: boolean;
  /** The field that is wrong, where one is. */
  readonly field: string | undefined;

  constructor(
    /** The whole answer. */
    readonly refusal: Refusal,
  ) {
    super(refusal.error ?? refusal.code ?? 'the server refused the message');
    this.code = refusal.code ?? 'internal';
    this.retryable = refusal.retryable === true;
    this.field = refusal.field;
  }
}

/** A message was not sent, because the queue for messages that wait for a connection is full. */
export class QueueFullError extends BoardcastError {
  override name = 'QueueFullError';
}

/** The connection ended before the answer came: nobody knows whether the message had an effect. */
export class ConnectionLostError extends BoardcastError {
  override name = 'ConnectionLostError';
}

/** There was no answer in time. */
export class TimeoutError extends BoardcastError {
  override name = 'TimeoutError';
}

/** The client was closed, or has given up connecting. */
export class ClosedError extends BoardcastError {
  override name = 'ClosedError';
  constructor(
    message: string,
    /** The close code of the last connection, where there was one. */
    readonly closeCode?: number,
  ) {
    super(message);
  }
}
