// What is done for each type of message, and what the client hears.

import { Files } from './files.mjs';
import { analysisOf, suggestionsFor } from './suggestions.mjs';
import { Tdd } from './tdd.mjs';

const JOBS = 'ai:jobs:status';
const MEMORY = 'memory:new-items';

export class Answers {
  #backend;
  #files = new Files();
  #tdd = new Tdd();
  #byType = {
    codeContext: (from, data) => this.#suggest(from, this.#files.remember(from, data)),
    suggestion_request: (from, data) => this.#suggestOnRequest(from, data),
    analyzeCode: (from, data) => this.#analyze(from, data),
    startTDD: (from, data) => ({ type: 'tddProgress', data: this.#tdd.start(from, data) }),
    tdd_action: (from, data) => ({ type: 'tddProgress', data: this.#tdd.act(from, data) }),
    context_update: (from, data) => this.#note(from, data),
    file_changed: (from, data) => this.#note(from, data),
    selection_changed: (from, data) => this.#note(from, data),
    memoryUpdate: (from, data, event) => this.#remember(from, data, event),
  };

  constructor(backend) {
    this.#backend = backend;
    const { memoryUpdate } = this.#byType;
    Object.assign(this.#byType, { memory_update: memoryUpdate, updateMemory: memoryUpdate, memory: memoryUpdate });
  }

  /** Answers what stands on the worker's channel: `{type, id, message: {clientId, correlationId, data, …}}`. */
  async answer(event) {
    const { clientId, correlationId, sessionId, data } = event.message;
    const act = this.#byType[event.type];
    if (!act || !clientId) return;
    const said = data && typeof data === 'object' && !Array.isArray(data) ? data : {};
    const answer = await act(clientId, said, event);
    if (!answer) return;
    await this.#backend.reply(clientId, answer.type, answer.data, correlationId);
    const result = answer.result ?? {};
    await this.#backend.announce(JOBS, { jobId: `job_${event.id}`, status: 'completed', type: event.type, sessionId, result });
  }

  #suggest(from, source, range) {
    const others = this.#files.all(from).filter(({ file }) => file !== source.file);
    const data = suggestionsFor(source, others, range);
    return { type: 'suggestions', data, result: { suggestions: data.length } };
  }

  /** For the file that is named or sent, or else the last one; for its selection, if there is one. */
  #suggestOnRequest(from, data) {
    const isSent = data.content !== undefined;
    const source = isSent ? this.#files.remember(from, data) : this.#files.find(from, data.file ?? data.path);
    if (!source) return { type: 'suggestions', data: [], result: { suggestions: 0 } };
    return this.#suggest(from, source, rangeOf(data.selection ?? source.selection));
  }

  #analyze(from, data) {
    const isSent = data.content !== undefined;
    const source = isSent ? this.#files.remember(from, data) : this.#files.find(from, data.file ?? data.path);
    if (!source) return { type: 'analysis', data: { file: data.file ?? null, error: 'send the content first' } };
    const others = this.#files.all(from).filter(({ file }) => file !== source.file);
    const analysis = analysisOf(source, others);
    return {
      type: 'analysis',
      data: { ...analysis, suggestions: suggestionsFor(source, others) },
      result: { functions: analysis.functions.length },
    };
  }

  #note(from, data) {
    this.#files.remember(from, data);
  }

  async #remember(from, data, event) {
    await this.#backend.announce(MEMORY, { ...data, id: data.id ?? event.id, clientId: from });
    return { type: 'memoryUpdated', data: { id: data.id ?? event.id }, result: { items: 1 } };
  }
}

/** Lines, as `{start, end}` or `{start: {line}, end: {line}}`, in which editors count from 0. */
function rangeOf(selection) {
  const line = (at) => (typeof at === 'number' ? at : Number.isInteger(at?.line) ? at.line + 1 : NaN);
  const range = { start: line(selection?.start), end: line(selection?.end) };
  return Number.isNaN(range.start + range.end) ? undefined : range;
}
