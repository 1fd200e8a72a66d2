// Writes a text in chunks, as a model does. Put your model here: it has to give pieces of text, one after the other.

import { setTimeout as delay } from 'node:timers/promises';
import { functionsIn } from './functions.mjs';

const PAUSE_MS = 5;

/** @returns {AsyncGenerator<string>} */
export async function* generate({ prompt, targetFile, code }) {
  const text = /document/i.test(prompt) ? documentation({ targetFile, code }) : component({ prompt, targetFile });
  for (const chunk of text.match(/[^]{1,48}/g) ?? []) {
    await delay(PAUSE_MS);
    yield chunk;
  }
}

function documentation({ targetFile, code = '' }) {
  const functions = functionsIn({ file: targetFile, content: code });
  const described = functions.map(({ name, parameters, line }) => `## \`${name}(${parameters.join(', ')})\`\n\nDefined in line ${line}.\n`);
  return [`# ${targetFile ?? 'Documentation'}\n`, ...described].join('\n');
}

function component({ prompt, targetFile }) {
  const file = (targetFile ?? 'Component.tsx').split('/').pop();
  const name = file.replace(/\.\w+$/, '').replace(/\W/g, '') || 'Component';
  return `// ${prompt.replace(/\s+/g, ' ')}\n\ninterface ${name}Props {\n  title: string;\n}\n\nexport function ${name}({ title }: ${name}Props) {\n`
    + `  return (\n    <section>\n      <h1>{title}</h1>\n    </section>\n  );\n}\n`;
}
