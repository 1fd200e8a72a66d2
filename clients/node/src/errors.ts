// What can go wrong, as classes that a caller can tell apart.

/** The base class of every error of this package. */
export class BoardcastError extends Error {
  override name = 'BoardcastError';
}

/** The server refused a message. */
export class RefusedError extends BoardcastError {
  override name = 'RefusedError';
  constructor(
    message: string,
    /** One of the codes of the README's table. */
    readonly code: string,
    /** The HTTP status. */
    readonly status: number,
    /** The field that is wrong, where one is. */
    readonly field: string | undefined,
    /** The whole answer. */
    readonly problem: Readonly<Record<string, unknown>>,
  ) {
    super(message);
  }
}

/** Too much waits to be sent: the message was not taken. */
export class QueueFullError extends BoardcastError {
  override name = 'QueueFullError';
}

/** The server could not be reached, or not in time. The message may have had an effect. */
export class UnreachableError extends BoardcastError {
  override name = 'UnreachableError';
}

/** The manager was closed. */
export class ClosedError extends BoardcastError {
  override name = 'ClosedError';
}
