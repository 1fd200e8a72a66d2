/** An answer: what was asked for, or why not. `ok` tells which. */
export type Answer<T> = T | Refused;

/** How the answer to a message is heard. */
export type Ack<T> = (answer: Answer<T>) => void;

/** What an event that clients may say carries. */
export type PayloadOf<Name extends keyof ClientToServerEvents> = Parameters<ClientToServerEvents[Name]>[0];

/** How it is answered. */
export type AnswerOf<Name extends keyof ClientToServerEvents> = Parameters<
  NonNullable<Parameters<ClientToServerEvents[Name]>[1]>
>[0];

/** The same events with an ack that must be there: so `socket.emitWithAck` knows what the answer is. */
export type Acked<Events> = {
  [Name in keyof Events]: Events[Name] extends (...args: infer Arguments) => void
    ? (...args: Required<Arguments>) => void
    : never;
};

/** How outgoing events are spelled: the server's `--event-style`, or the connection's `auth.eventStyle`. */
export type EventStyle = 'colon' | 'dash' | 'snake' | 'camel';

/** A name in another spelling: `Spelled<'task:status_changed', 'camel'>` is `'taskStatusChanged'`. */
export type Spelled<Name extends string, Style extends EventStyle> = Style extends 'colon'
  ? Name
  : Name extends `${infer Before}:${infer After}`
    ? Joined<Spelled<Before, Style>, Spelled<After, Style>, Style>
    : Name extends `${infer Before}_${infer After}`
      ? Joined<Before, Spelled<After, Style>, Style>
      : Name;

type Joined<Before extends string, After extends string, Style extends EventStyle> = Style extends 'dash'
  ? `${Before}-${After}`
  : Style extends 'snake'
    ? `${Before}_${After}`
    : `${Before}${Capitalize<After>}`;

/** An event map in another spelling: `Styled<ServerToClientEvents, 'dash'>`. */
export type Styled<Events, Style extends EventStyle> = {
  [Name in keyof Events as Name extends string ? Spelled<Name, Style> : Name]: Events[Name];
};
