import { BoardcastProvider } from '@boardcast/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Activity } from './Activity';
import { Board } from './Board';
import './style.css';

// `?server=http://localhost:8002&project=demo&user=ann&channels=ui:activity,ai:jobs:status`
const query = new URLSearchParams(location.search);
const server = query.get('server') ?? 'http://localhost:8002';
const project = query.get('project') ?? 'demo';
const channels = (query.get('channels') ?? 'ui:activity').split(',').filter(Boolean);
const user = query.get('user') ?? undefined;

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <BoardcastProvider url={server} userId={user}>
      <main>
        <Board key={project} projectId={project} />
        {channels.length > 0 && <Activity channels={channels} />}
      </main>
    </BoardcastProvider>
  </StrictMode>,
);
