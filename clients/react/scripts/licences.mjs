// Copies the licences of the repository into the package, so that its archive carries them.

import { copyFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

for (const name of ['LICENSE-APACHE', 'LICENSE-MIT']) {
  const from = fileURLToPath(new URL(`../../../${name}`, import.meta.url));
  copyFileSync(from, fileURLToPath(new URL(`../${name}`, import.meta.url)));
}
