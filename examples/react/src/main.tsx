import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Activity } from './Activity';
import { Board } from './Board';
import { SocketContext } from './boardcast/context';
import { connect } from './boardcast/socket';
import './style.css';

// `?server=http://localhost:8002&project=demo&user=ann&channels=ui:activity,ai:jobs:status`
const query = new URLSearchParams(location.search);
const server = query.get('server') ?? 'http://localhost:8002';
const project = query.get('project') ?? 'demo';
const channels = (query.get('channels') ?? 'ui:activity').split(',').filter(Boolean);
const user = query.get('user');
const socket = connect(server, user ? { userId: user } : {});

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <SocketContext value={socket}>
      <main>
        <Board key={project} projectId={project} />
        {channels.length > 0 && <Activity url={server} channels={channels} />}
      </main>
    </SocketContext>
  </StrictMode>,
);
