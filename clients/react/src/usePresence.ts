import type { Id, Person, PresenceLeft, PresenceTold } from '@boardcast/client';
import { useMemo } from 'react';
import { keyOf } from './board.js';
import { enter, type Connection, type Place } from './membership.js';
import { useServer } from './provider.js';
import type { Server } from './server.js';
import { ask, listen } from './socket.js';
import { Store, useStore } from './store.js';

type Fields = Readonly<Record<string, unknown>>;

export interface PresenceView {
  readonly connection: Connection;
  /** Who is there, oneself included, the longest first; of more than 100 those whom the server lists. */
  readonly people: readonly Person[];
  /** What was refused last, for a person. */
  readonly error: string | null;
  /** Says something of oneself, in place of what was said before: `{ status: 'away' }`. */
  readonly update: (fields: Fields) => Promise<void>;
}

/** Who is present in a project. The component that asks is, too. */
export function usePresence(projectId: Id): PresenceView {
  const server = useServer();
  const store = useMemo(() => new PresenceStore(server, projectId), [server, projectId]);
  const { connection, people, error } = useStore(store);
  const listed = useMemo(() => [...people.values()], [people]);
  return { connection, people: listed, error, update: store.update };
}

type People = ReadonlyMap<string, Person>;
type Told = (people: People) => People;

interface PresenceSnapshot {
  readonly connection: Connection;
  /** By user. */
  readonly people: People;
  /** What was heard while a list is on its way: it may be newer than that. */
  readonly early: readonly Told[] | null;
  readonly error: string | null;
}

class PresenceStore extends Store<PresenceSnapshot> {
  readonly #server: Server;
  readonly #projectId: Id;
  /** What one says of oneself: the server may forget it with the connection. */
  #said: Fields | null = null;
  /** Whether this connection has said it. */
  #isSaid = true;
  #place: Place | null = null;

  constructor(server: Server, projectId: Id) {
    super({ connection: 'connecting', people: new Map(), early: null, error: null });
    this.#server = server;
    this.#projectId = projectId;
  }

  readonly update = async (fields: Fields): Promise<void> => {
    this.#said = fields;
    this.#isSaid = false;
    // Without a connection it is said as soon as the project is joined.
    if (this.read().connection === 'live') await this.#say(fields);
  };

  protected override open(): () => void {
    const release = this.#server.hold();
    const client = this.#server.client();
    const { socket } = client;
    client.reconnect();
    const came = (person: PresenceTold) => this.#hear(person.projectId, (people) => withPerson(people, person));
    const place = (this.#place = enter(client, this.#projectId, {
      snapshot: false,
      presence: true,
      needsSignals: true,
      onJoining: () => this.change({ early: [] }),
      onJoined: ({ presence }) => {
        const listed: People = new Map(presence.map((person) => [person.userId, person]));
        this.change({ people: (this.read().early ?? []).reduce((people, told) => told(people), listed), early: null });
        if (this.#said && !this.#isSaid) void this.#say(this.#said);
      },
      onConnection: (connection, error) => {
        if (connection !== 'live') this.#isSaid = false;
        this.change({ connection, error });
      },
      onRevoked: () => this.change({ people: new Map() }),
    }));
    const stops = [
      listen(socket, {
        'presence:join': came,
        'presence:update': came,
        'presence:leave': (gone) => this.#hear(gone.projectId, (people) => withoutPerson(people, gone)),
      }),
      place.leave,
      release,
    ];
    return () => stops.forEach((stop) => stop());
  }

  #hear(projectId: Id, told: Told): void {
    if (keyOf(projectId) !== keyOf(this.#projectId)) return;
    const { people, early } = this.read();
    this.change({ people: told(people), early: early && [...early, told] });
  }

  async #say(fields: Fields): Promise<void> {
    this.#isSaid = true;
    const payload = { ...fields, projectId: this.#projectId };
    const answer = await ask(this.#server.client().socket, 'presence:update', payload).catch(() => null);
    if (answer?.ok === false) this.change({ error: answer.error });
    // The others hear it; oneself is told by the list.
    else if (answer) this.#place?.refresh();
  }
}

function withPerson(people: People, { projectId: _, ...person }: PresenceTold): People {
  return new Map(people).set(person.userId, person as Person);
}

function withoutPerson(people: People, { userId }: PresenceLeft): People {
  const others = new Map(people);
  others.delete(userId);
  return others;
}
