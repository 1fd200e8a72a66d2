// What the attack scripts ask over REST.

/** Posts JSON; throws what was refused, unless it is to be tried again: then it waits and does so. */
export async function post(server, path, body) {
  for (;;) {
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (response.ok) return answer;
    if (response.status !== 429) throw new Error(`${response.status} ${JSON.stringify(answer).slice(0, 300)}`);
    await new Promise((resolve) => setTimeout(resolve, answer.retryAfterMs ?? 100));
  }
}

/** Fills a project with tasks of a size. */
export async function fill(server, project, tasks, bytes) {
  const HUNDRED = 100;
  for (let made = 0; made < tasks; made += HUNDRED) {
    const commands = Array.from({ length: Math.min(HUNDRED, tasks - made) }, (_, number) => ({
      event: 'task:create',
      data: { id: `t${made + number}`, title: `Task ${made + number}`, description: prose(bytes, made + number) },
    }));
    const { results = [] } = await post(server, `/api/projects/${project}/commands`, { commands });
    const refused = results.find((result) => !result.ok);
    if (refused) throw new Error(JSON.stringify(refused).slice(0, 300));
  }
}

/** A text that compresses about as well as people's words do. */
function prose(bytes, seed) {
  let [text, state] = ['', seed + 1];
  while (text.length < bytes) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    text += `${WORDS[state % WORDS.length]}${state % 97} `;
  }
  return text.slice(0, bytes);
}

const WORDS = ['sow', 'harvest', 'barn', 'plough', 'meadow', 'orchard', 'wheat', 'shepherd', 'market', 'fence'];
