// The OpenAPI document as TypeScript's tools read it: a lint, a generator, the compiler, and a call with what came out.

import assert from 'node:assert/strict';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import openapiTypeScript, { astToString } from 'openapi-typescript';
import typescript from 'typescript';
import { Server } from './server.mjs';

const OPTIONS = {
  module: typescript.ModuleKind.NodeNext,
  moduleResolution: typescript.ModuleResolutionKind.NodeNext,
  target: typescript.ScriptTarget.ES2022,
  strict: true,
  skipLibCheck: true,
  types: [],
};

/** A program of somebody who knows the document and nothing else. */
const PROGRAM = `
import createClient from 'openapi-fetch';
import type { paths } from './api.js';

export async function run(baseUrl: string) {
  const client = createClient<paths>({ baseUrl });
  const params = { path: { projectId: 'p' } };
  const created = await client.POST('/api/projects/{projectId}/tasks', { params, body: { title: 'Paint', points: 3 } });
  const listed = await client.GET('/api/projects/{projectId}/tasks', { params: { ...params, query: { limit: 10 } } });
  const refused = await client.GET('/api/projects/{projectId}/tasks/{taskId}', {
    params: { path: { projectId: 'p', taskId: 'none' } },
  });
  const health = await client.GET('/health');
  const ready = await client.GET('/ready');
  return {
    created: created.data?.data.title,
    listed: listed.data?.items.map((task) => task.title),
    refused: refused.error?.code,
    health: health.data?.status,
    ready: ready.data?.status,
  };
}
`;

test('the document has no problem that a lint finds', async (t) => {
  const server = await Server.start(t);
  const source = await (await fetch(`${server.url}/api/openapi.json`)).text();
  const problems = await lintFromString({ source, config: await createConfig({ extends: ['recommended'] }) });
  assert.deepEqual(problems.map(({ ruleId, message }) => `${ruleId}: ${message}`), []);
});

test('a TypeScript client that is generated compiles and works', async (t) => {
  const server = await Server.start(t);
  const folder = await mkdtemp(join(tmpdir(), 'boardcast-openapi-'));
  t.after(() => rm(folder, { recursive: true }));
  const modules = fileURLToPath(new URL('node_modules', import.meta.url));
  await symlink(modules, join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  const generated = await openapiTypeScript(new URL(`${server.url}/api/openapi.json`));
  await writeFile(join(folder, 'api.ts'), astToString(generated));
  await writeFile(join(folder, 'program.ts'), PROGRAM);

  const program = typescript.createProgram([join(folder, 'program.ts')], OPTIONS);
  const { diagnostics } = program.emit();
  const problems = [...typescript.getPreEmitDiagnostics(program), ...diagnostics];
  assert.deepEqual(problems.map(({ messageText }) => typescript.flattenDiagnosticMessageText(messageText, '\n')), []);

  const { run } = await import(pathToFileURL(join(folder, 'program.js')));
  assert.deepEqual(await run(server.url), {
    created: 'Paint',
    listed: ['Paint'],
    refused: 'not_found',
    health: 'healthy',
    ready: 'ready',
  });
});
