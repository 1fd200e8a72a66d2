// A project's state that comes in pages, put together.

import type { ProjectState } from './generated.js';

interface Row {
  readonly id: unknown;
}

/**
 * The whole state, of which this may be the first page only; `ask` gets the page that a token stands for. Events after its
 * `seq` that were heard meanwhile are to be applied to it afterwards.
 */
export async function wholeState<State extends ProjectState>(first: State, ask: (page: string) => Promise<ProjectState>): Promise<State> {
  if (first.nextPage === undefined) return first;
  const rows = new Map<string, Map<string, Row>>();
  const take = (page: ProjectState) => {
    for (const [list, listed] of Object.entries(page)) {
      if (!Array.isArray(listed)) continue;
      const known = rows.get(list) ?? new Map<string, Row>();
      // What was moved meanwhile may be on two pages: the later one is newer.
      for (const row of listed as Row[]) known.set(String(row.id), row);
      rows.set(list, known);
    }
  };
  let page: ProjectState = first;
  take(page);
  while (page.nextPage !== undefined) {
    page = await ask(page.nextPage);
    take(page);
  }
  const { nextPage: _, ...state } = first;
  const lists = Object.fromEntries([...rows].map(([list, listed]) => [list, [...listed.values()]]));
  return { ...state, ...lists, project: page.project } as State;
}
