// Gives a Node that has no WebSocket of its own (before 22) the one that programs of a page expect, and ends the program
// a moment after its first message.

const { createRequire } = require('node:module');
const { resolve } = require('node:path');

const Base = createRequire(resolve(__dirname, '../clients/package.json'))('ws');

globalThis.WebSocket = class extends Base {
  set onmessage(listener) {
    super.onmessage = (event) => {
      listener(event);
      this.close();
    };
  }
};
