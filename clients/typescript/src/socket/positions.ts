// How far each channel was heard, so that an event that comes once more after a reconnect is delivered once.

/** Channels that are remembered; beyond, the one that was silent longest is forgotten. */
const MAX_CHANNELS = 4096;

/** The seq of the last delivered event, by channel. */
export class Positions {
  readonly #seqs = new Map<string, number>();

  /** Whether an event is new; if so its place is taken note of. */
  advance(channel: string, seq: number): boolean {
    const last = this.#seqs.get(channel);
    if (last !== undefined && seq <= last) return false;
    // Deleted first, so that the map is in the order of the last events.
    this.#seqs.delete(channel);
    this.#seqs.set(channel, seq);
    if (this.#seqs.size > MAX_CHANNELS) this.#forgetOldest();
    return true;
  }

  /** The server begins anew with this channel: whatever comes is new. */
  forget(channel: string): void {
    this.#seqs.delete(channel);
  }

  /** The same of all channels. */
  forgetAll(): void {
    this.#seqs.clear();
  }

  #forgetOldest(): void {
    const oldest = this.#seqs.keys().next();
    if (!oldest.done) this.#seqs.delete(oldest.value);
  }
}
