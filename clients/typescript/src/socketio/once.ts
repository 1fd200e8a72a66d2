// Each event once. Recovery may bring again what a client got in the moment in which it was cut; the event's seq tells.

import type { ChannelEvent, Id } from '../generated.js';
import { Positions } from '../socket/positions.js';

/** Events of channels that are remembered: more than can be on their way when a connection breaks. */
const MAX_IDS = 4096;

const keyOf = (projectId: unknown): string => `project:${String(projectId)}`;

export class Once {
  readonly #positions = new Positions();
  readonly #projects = new Set<string>();
  readonly #ids = new Set<string>();
  /** The channel's event that came last, whose second form, under its own name, may follow. */
  #last: { id: string; type: string; data: unknown; isWanted: boolean } | undefined;
  /** Whose second form did not come before the connection ended. */
  #incomplete: string | undefined;

  /** From now on events of the project come in its room. */
  joined(projectId: Id): void {
    this.#projects.add(keyOf(projectId));
    this.#positions.forget(keyOf(projectId));
  }

  left(projectId: Id): void {
    this.#projects.delete(keyOf(projectId));
    this.#positions.forget(keyOf(projectId));
  }

  /** The project begins anew. */
  reset(projectId: Id): void {
    this.#positions.forget(keyOf(projectId));
  }

  /** Everything does. */
  resetAll(): void {
    this.#positions.forgetAll();
  }

  disconnected(): void {
    // Several connections may end before it comes again.
    this.#incomplete = this.#last?.id ?? this.#incomplete;
    this.#last = undefined;
  }

  /** Whether an event has not been delivered before. */
  isNew(name: string, payload: unknown): boolean {
    const last = this.#last;
    this.#last = undefined;
    if (name === 'event') return this.#isNewInChannel(payload as ChannelEvent);
    const { projectId, seq } = (payload ?? {}) as { projectId?: unknown; seq?: unknown };
    // Of a project that was not joined it is heard in the list of projects, some of it only.
    const isOfProject = typeof seq === 'number' && this.#projects.has(keyOf(projectId));
    if (last?.type === name && (isOfProject || !last.isWanted) && JSON.stringify(last.data) === JSON.stringify(payload)) {
      return last.isWanted;
    }
    return isOfProject ? this.#positions.advance(keyOf(projectId), seq) : true;
  }

  #isNewInChannel({ id, type, data }: ChannelEvent): boolean {
    const isNew = !this.#ids.has(id);
    this.#ids.add(id);
    const [oldest] = this.#ids;
    if (this.#ids.size > MAX_IDS && oldest !== undefined) this.#ids.delete(oldest);
    this.#last = { id, type, data, isWanted: isNew || this.#incomplete === id };
    return isNew;
  }
}
