// On a server hooks render what they show before they know anything, and open nothing.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

const require = createRequire(import.meta.url);

/** Both builds of the package, with the React that each of them loads. */
const BUILDS = {
  'ES modules': async () => ({ ...(await import('@boardcast/react')), ...(await import('react')), ...(await import('react-dom/server')) }),
  CommonJS: async () => ({ ...require('@boardcast/react'), ...require('react'), ...require('react-dom/server') }),
};

for (const [name, load] of Object.entries(BUILDS)) {
  test(`${name}: every hook renders without a browser`, async () => {
    const { createElement, renderToString, BoardcastProvider, ...hooks } = await load();
    const shown = {};
    function All() {
      shown.project = hooks.useProject('p').connection;
      shown.presence = hooks.usePresence('p').people;
      shown.channel = hooks.useChannel('news').state;
      shown.socket = hooks.useWebSocket('/ws').isConnected;
      shown.session = hooks.useWebSocket({ sessionId: 's' }).lastMessage;
      shown.ai = hooks.useAIWebSocket('s').aiStatus;
      shown.events = hooks.useEventSource('/api/events').events;
      shown.clients = hooks.useWebSocketAdmin().clients;
      shown.active = hooks.useWebSocketMetrics().wsMetrics.connections.active;
      return createElement('p', null, 'rendered');
    }
    const below = createElement(BoardcastProvider, { url: 'http://localhost:1' }, createElement(All));
    for (const element of [createElement(All), below]) assert.match(renderToString(element), /rendered/);
    assert.deepEqual(shown, {
      project: 'connecting', presence: [], channel: 'connecting', socket: false, session: null, ai: 'idle', events: [], clients: [], active: 0,
    });
  });
}
