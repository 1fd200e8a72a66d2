// Test-driven development in steps: a test that fails (red), code that passes it (green), better code (refactor), and again.

import { randomUUID } from 'node:crypto';

const MAX_SESSIONS = 1_000;
const INSTRUCTIONS = {
  red: (feature) => `Write a test for "${feature}", and see it fail.`,
  green: (feature) => `Write just enough code for "${feature}" to pass its test.`,
  refactor: (feature) => `Make the code of "${feature}" better. Its test must still pass.`,
};
/** What leads from one phase to the next. */
const STEPS = {
  red: { test_failed: 'green' },
  green: { test_passed: 'refactor' },
  refactor: { test_passed: 'red', test_failed: 'green' },
};
/** Other words for the same. */
const WORDS = { fail: 'test_failed', failed: 'test_failed', pass: 'test_passed', passed: 'test_passed', done: 'test_passed' };

export class Tdd {
  /** By id, the one that was begun or went on last at the end. */
  #sessions = new Map();

  /** Begins with a feature. */
  start(clientId, said = {}) {
    const session = { tddId: randomUUID(), clientId, feature: String(said.feature ?? said.description ?? said.file ?? 'it'), phase: 'red', cycle: 1 };
    return this.#keep(session);
  }

  /** Goes on: `{tddId, action}`, or of the client's last one `{action}`. */
  act(clientId, { tddId, action = 'next' } = {}) {
    const own = [...this.#sessions.values()].filter((each) => each.clientId === clientId);
    const session = tddId ? own.find((each) => each.tddId === tddId) : own.pop();
    if (!session) return { error: 'there is no such TDD session: send startTDD first' };
    const steps = STEPS[session.phase];
    const meant = WORDS[action] ?? action;
    const next = meant === 'next' ? Object.values(steps)[0] : steps[meant];
    if (!next) return { ...described(session), error: `in ${session.phase} the action is one of ${Object.keys(steps)} or next` };
    const cycle = session.cycle + (session.phase === 'refactor' && next === 'red' ? 1 : 0);
    return this.#keep({ ...session, phase: next, cycle });
  }

  #keep(session) {
    this.#sessions.delete(session.tddId);
    this.#sessions.set(session.tddId, session);
    if (this.#sessions.size > MAX_SESSIONS) this.#sessions.delete(this.#sessions.keys().next().value);
    return described(session);
  }
}

const described = ({ tddId, feature, phase, cycle }) => ({ tddId, feature, phase, cycle, instruction: INSTRUCTIONS[phase](feature) });
