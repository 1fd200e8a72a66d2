// Wrong tokens and pages of other origins at everything below `/api` and `/admin`, whatever it is.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bystander, Server, report, size } from './kit.mjs';
import { REQUIRED, tokenOf } from '../clients/tokens.mjs';

const ORIGIN = 'https://app.example.com';
const OPERATIONS = [['post', '/admin/notifications'], ['get', '/admin/sockets'], ['post', '/admin/disconnect'], ['get', '/admin/x']];
const NOWHERE = [['get', '/api/x'], ['get', '/api/'], ['get', '/api'], ['delete', '/api/openapi.json']];

/** Every route below `/api` and `/admin`, and some that are none. */
async function routes(server) {
  const { paths } = await (await fetch(`${server.url}/api/openapi.json`)).json();
  const described = Object.entries(paths).flatMap(([path, item]) => {
    const methods = ['get', 'post', 'patch', 'delete'].filter((method) => item[method]);
    return methods.map((method) => [method, path.replaceAll(/\{\w+\}/g, 'x')]);
  });
  // Webhooks prove where they come from by a signature.
  const guarded = described.filter(([, path]) => /^\/(api|admin)\//.test(path) && !path.startsWith('/api/webhooks/'));
  assert.ok(guarded.length > 30, `${guarded.length} routes`);
  return [...guarded, ...OPERATIONS, ...NOWHERE];
}

const status = async (server, [method, path], headers) => {
  const answer = await fetch(server.url + path, { method: method.toUpperCase(), headers });
  await answer.arrayBuffer();
  return answer.status;
};

test('every route refuses wrong tokens and pages of other origins', async (t) => {
  const server = await Server.start(t, { ...REQUIRED, CORS_ORIGINS: ORIGIN, ADMIN_TOKEN: 'an admin token of tests' });
  const token = `Bearer ${tokenOf('ann')}`;
  for (const route of await routes(server)) {
    const where = route.join(' ');
    assert.equal(await status(server, route, { authorization: 'Bearer wrong' }), 401, where);
    const evil = { origin: 'https://evil.example', authorization: token };
    assert.equal(await status(server, route, evil), 403, where);
  }
});

test('every route charges wrong tokens to the address', async (t) => {
  const limits = { USER_READ_RATE: '1/20', USER_COMMAND_RATE: 'none', USER_SIGNAL_RATE: 'none' };
  const first = await Server.start(t, { ...REQUIRED, ADMIN_TOKEN: 'an admin token of tests' });
  const all = await routes(first);
  const server = await Server.start(t, { ...REQUIRED, ...limits, ADMIN_TOKEN: 'an admin token of tests' });
  // One budget for all of them: what one has used up, no other has.
  for (let times = 0; times < 30; times += 1) await status(server, all[times % all.length], { authorization: 'Bearer wrong' });
  for (const route of all) {
    assert.equal(await status(server, route, { authorization: 'Bearer wrong' }), 429, route.join(' '));
  }
});

test('what everybody may read costs a read', async (t) => {
  const server = await Server.start(t, { ...REQUIRED, USER_READ_RATE: '1/20' });
  const open = ['/api/openapi.json', '/api/schemas', '/api/schemas/connect', '/api/ws/stats', '/api/metrics/websocket', '/api/websocket/status'];
  const answers = [];
  for (let times = 0; times < 30; times += 1) answers.push(await status(server, ['get', open[times % open.length]]));
  assert.deepEqual(answers.slice(0, 20), Array(20).fill(200));
  assert.ok(answers.slice(20).filter((answer) => answer === 429).length >= 8, answers.join());
});

test('a flood of wrong tokens holds nobody up', async (t) => {
  // Attempts are counted by address, so the bystander has another one.
  const server = await Server.start(t, { ...REQUIRED, TRUSTED_PROXIES: '127.0.0.1' });
  const headers = { authorization: `Bearer ${tokenOf('ann')}`, 'x-forwarded-for': '192.0.2.7' };
  const bystander = Bystander.start(async () => assert.equal(await status(server, ['get', '/api/projects'], headers), 200));
  const counts = {};
  const end = performance.now() + size(1_500, 10_000);
  while (performance.now() < end) {
    const answers = Array.from({ length: 20 }, () => status(server, ['get', '/api/ws/stats'], { authorization: 'Bearer wrong', 'x-forwarded-for': '192.0.2.1' }));
    for (const answer of await Promise.all(answers)) counts[answer] = (counts[answer] ?? 0) + 1;
  }
  const { p99, failed } = await bystander.stop();
  report(t, { answers: counts, 'bystander p99 ms': p99 });
  assert.equal(failed, 0);
  assert.equal(counts[200], undefined);
});
