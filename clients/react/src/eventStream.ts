// Server-sent events. The browser reconnects by itself after most failures; what it gives up for good (any answer but
// 200, such as a proxy's 502) is opened anew here, from the last event that was heard.

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

export type StreamState = 'connecting' | 'open' | 'closed';

export interface StreamListener {
  /** The stream's state changed. `closed`: it was refused, and is tried again after a pause. */
  onState(state: StreamState): void;
  /** A message came, under its name: `message` if it has none. */
  onMessage(name: string, data: string): void;
}

/**
 * Listens until the returned function is called. The address is asked for each time that the stream is opened, because
 * the token in it may have expired.
 */
export function listenToStream(
  address: () => Promise<URL>,
  names: readonly string[],
  listener: StreamListener,
): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let [ended, failures, lastEventId] = [false, 0, ''];

  const open = async () => {
    listener.onState('connecting');
    const url = await address().catch(() => null);
    if (ended) return;
    if (!url) return tryAgain();
    // `EventSource` tells the last id by a header, and only where it reconnects by itself.
    if (lastEventId) url.searchParams.set('since', lastEventId);
    const opened = (source = new EventSource(url));
    opened.onopen = () => {
      failures = 0;
      listener.onState('open');
    };
    opened.onerror = () => {
      if (opened.readyState === EventSource.CLOSED) tryAgain();
      else listener.onState('connecting');
    };
    for (const name of new Set(names)) {
      opened.addEventListener(name, (event: MessageEvent<string>) => {
        if (event.lastEventId) lastEventId = event.lastEventId;
        listener.onMessage(name, event.data);
      });
    }
  };
  const tryAgain = () => {
    listener.onState('closed');
    timer = setTimeout(() => void open(), pause(failures++));
  };

  void open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source?.close();
  };
}

/** Twice as long after each failure, and of random length, so that all pages do not come back at the same moment. */
function pause(failures: number): number {
  return Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS) * (0.5 + Math.random() / 2);
}
