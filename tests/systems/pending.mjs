// Tests of what other changes bring: each begins to run when that is there. `SYSTEMS_ALL=1` runs them all the same.

import { existsSync } from 'node:fs';

/** A file of each that was not there before. */
const PARTS = {
  agents: 'src/transport/websocket/compression.rs',
  broadcast: 'src/direct.rs',
  lists: 'dialects/broadcast.toml',
  sse: 'src/metrics.rs',
};

/** Options of a test that waits for a part. */
export function pending(part) {
  const isThere = existsSync(new URL(`../../${PARTS[part]}`, import.meta.url));
  return { skip: isThere || process.env.SYSTEMS_ALL ? false : `not built yet: ${part}` };
}
