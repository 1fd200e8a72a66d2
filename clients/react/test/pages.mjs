// Writes the components of the pages into `test/pages/`, word for word; what a page leaves out stands before and after.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const PAGES = {
  'event-monitor': { of: 'a-ide-dashboard/14-event-monitor.tsx', before: "import { useEventSource } from '@boardcast/react';" },
  'realtime-monitor': {
    of: 'a-ide-dashboard/18-realtime-monitor.tsx',
    before: `import { useSSEMetrics, useWebSocketMetrics } from '@boardcast/react';
import { Dashboard, ErrorLog, LatencyChart, MetricCard } from '../dashboard.js';`,
  },
  'web-socket-inspector': { of: 'a-ide-dashboard/13-inspector.tsx', before: "import { useWebSocketAdmin } from '@boardcast/react';" },
  'my-component': { of: 'c-ai-canvas/20-use-web-socket.tsx', after: 'export { MyComponent };' },
  'ai-component': {
    of: 'c-ai-canvas/21-use-ai-web-socket.tsx',
    before: "import { useEffect } from 'react';",
    after: 'export { AIComponent };',
  },
  'automatic-reconnection': inComponent('c-ai-canvas/24-automatic-reconnection.ts', 'AutomaticReconnection'),
  'debug-mode': inComponent('c-ai-canvas/38-debug-mode.ts', 'DebugMode'),
  'task-board': {
    of: 'socketio-service/05-task-board.tsx',
    before: "const updateTask = (task: unknown) => console.log('updated', JSON.stringify(task));",
  },
};

/** A program that stands in a component. */
function inComponent(of, name) {
  const before = `import { useWebSocket } from '@boardcast/react';\nexport function ${name}() {`;
  return { of, before, after: 'return <p>{ws.isConnected ? "up" : "down"}</p>; }' };
}

const at = (path) => new URL(path, import.meta.url);
mkdirSync(at('pages/'), { recursive: true });
for (const [name, { of, before = '', after = '' }] of Object.entries(PAGES)) {
  const snippet = readFileSync(at(`../../../tests/systems/snippets/${of}`), 'utf8');
  writeFileSync(at(`pages/${name}.tsx`), `${before}\n// ${of}\n${snippet}\n${after}\n`);
}
