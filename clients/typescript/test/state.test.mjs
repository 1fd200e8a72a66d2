import assert from 'node:assert/strict';
import { test } from 'node:test';
import { wholeState } from '@boardcast/client';

const page = (tasks, nextPage) => ({ seq: 7, cursor: 'c', project: { id: 'p' }, tasks, epics: [], ...(nextPage && { nextPage }) });

test('the pages of a state are put together, and of what is on two of them the later one counts', async () => {
  const pages = {
    two: page([{ id: 2, version: 1 }, { id: '1', version: 2 }], 'three'),
    three: page([{ id: 3, version: 1 }]),
  };
  const asked = [];
  const ask = async (token) => {
    asked.push(token);
    return pages[token];
  };
  const state = await wholeState(page([{ id: 1, version: 1 }], 'two'), ask);
  assert.deepEqual(asked, ['two', 'three']);
  assert.deepEqual(state, page([{ id: '1', version: 2 }, { id: 2, version: 1 }, { id: 3, version: 1 }]));
});

test('a small state is whole as it is', async () => {
  const state = page([]);
  assert.equal(await wholeState(state, () => assert.fail('there is no other page')), state);
});
