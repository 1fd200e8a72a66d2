// Runs the programs of the pages, word for word, against a real server: host and port apart. Each stands in a file of its
// own below `snippets/`. What a program takes from around it (`WebSocket`, `displayMessage`) is given to it; functions of
// its application are stubs that record how they were called.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import vm from 'node:vm';

const HERE = new URL('snippets/', import.meta.url);
const HOSTS = /\b(?:localhost|127\.0\.0\.1):(?:3000|3001|8002)\b/g;

/** Resolves what `tests/clients` has installed. */
export const installed = createRequire(new URL('../clients/package.json', import.meta.url));

/** One of our packages, built, by its folder below `clients/`. */
export function ours(folder) {
  const require = createRequire(new URL(`../../clients/${folder}/package.json`, import.meta.url));
  return require('./dist/cjs/index.js');
}

/** The text of a snippet such as `b-chat-agent/04-connection.js`, for a server in place of the page's own. */
export function snippet(name, server) {
  const text = readFileSync(new URL(name, HERE), 'utf8');
  return server ? text.replace(HOSTS, `127.0.0.1:${server.port}`) : text;
}

/** A page's JSON example. */
export const example = (name) => JSON.parse(snippet(name));

/** The object that a JavaScript snippet shows, the `index`-th if it shows several. */
export function shown(name, index = 0) {
  const objects = snippet(name).match(/^\{$.*?^\}$/gms);
  return JSON.parse(JSON.stringify(vm.runInNewContext(`(${objects[index]})`)));
}

/** Records the calls of the functions that a program expects around it. */
export class Calls {
  #calls = [];

  /** Functions of these names, which record their arguments. */
  stubs(...names) {
    const record = (name) => [name, (...args) => void this.#calls.push([name, ...args.map(plain)])];
    return Object.fromEntries(names.map(record));
  }

  /** A `console` that records what it is told, and says nothing. */
  get console() {
    return this.stubs('log', 'error', 'warn', 'info');
  }

  /** The arguments of each call of `name`, in order. */
  of(name) {
    return this.#calls.filter(([called]) => called === name).map(([, ...args]) => args);
  }

  /** The first arguments of the calls of `name`. */
  first(name) {
    return this.of(name).map(([first]) => first);
  }
}

/** Where programs of one page run, one after the other, as scripts of one application. */
export class Application {
  #context;
  #server;
  calls = new Calls();

  /**
   * Programs see `globals`, and stubs of the names in `stubs`. They end with the test `t`: their sockets are closed, their
   * timers stopped. `packages` are what `import` and `require` answer, by the pages' own names.
   */
  constructor(t, server, { globals = {}, stubs = [], packages = {} } = {}) {
    const { sockets, timers, ...scope } = around(server);
    this.#server = server;
    this.#context = vm.createContext({
      ...scope,
      console: this.calls.console,
      require: (name) => packages[name] ?? fail(name),
      exports: {},
      ...this.calls.stubs(...stubs),
      ...globals,
    });
    t.after(() => {
      timers.forEach((timer) => clearTimeout(timer));
      sockets.forEach((socket) => socket.terminate());
    });
  }

  /** Runs a snippet, or code that the test adds to it, and answers its last value. */
  run(name) {
    const code = snippet(name, this.#server);
    return this.evaluate(/\.tsx?$/.test(name) ? javascript(code) : code);
  }

  /** Evaluates an expression among what the programs have declared. */
  evaluate(code) {
    return vm.runInContext(code, this.#context);
  }
}

/** What a browser would give to programs: WebSockets, timers, requests to the page's own server. */
function around(server) {
  const sockets = [];
  const timers = [];
  const Base = installed('ws');
  class WebSocket extends Base {
    constructor(...args) {
      super(...args);
      sockets.push(this);
      // A browser does not end a program because a socket has failed.
      this.on('error', () => {});
    }
  }
  const timer = (set) => (...args) => (timers.push(set(...args)), timers.at(-1));
  return {
    sockets,
    timers,
    WebSocket,
    // The test's own, so that objects which programs parse compare with those of the test.
    JSON,
    URL,
    Date,
    Map,
    setTimeout: timer(setTimeout),
    setInterval: timer(setInterval),
    clearTimeout,
    clearInterval: clearTimeout,
    fetch: (path, options) => fetch(new URL(path, server.url), options),
  };
}

/** Takes the types out of a TypeScript program. */
function javascript(code) {
  const ts = installed('typescript');
  const compilerOptions = { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, jsx: ts.JsxEmit.ReactJSX };
  // Without strict mode: declarations stay visible to what runs after them.
  return ts.transpile(code, compilerOptions).replace(/^"use strict";\n/, '');
}

/** Arguments as they are at the time of the call, errors by their message. */
function plain(value) {
  if (value instanceof Error || value?.error instanceof Error) return (value.error ?? value).message;
  return value === undefined || typeof value === 'function' ? value : JSON.parse(JSON.stringify(value));
}

function fail(name) {
  throw new Error(`nothing stands for the module ${name}`);
}
