// What the tests show in a browser.

import { BoardcastProvider, useChannel, useEventSource, usePresence, useProject, useWebSocket } from '@boardcast/react';
import { StrictMode, useEffect, type ComponentType, type ReactNode } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { AIComponent } from './pages/ai-component.js';
import { AutomaticReconnection } from './pages/automatic-reconnection.js';
import { DebugMode } from './pages/debug-mode.js';
import { EventMonitor } from './pages/event-monitor.js';
import { MyComponent } from './pages/my-component.js';
import { RealtimeMonitor } from './pages/realtime-monitor.js';
import { TaskBoard } from './pages/task-board.js';
import { WebSocketInspector } from './pages/web-socket-inspector.js';

/** What components heard and how often they rendered, for the tests to look at. */
const seen = {
  messages: [] as any[],
  events: [] as any[],
  channel: [] as any[],
  last: [] as any[],
  errors: [] as string[],
  renders: 0,
  opens: 0,
};

/** Page a: a hook of one address. */
function ByUrl({ url }: { url: string }) {
  const { isConnected, lastMessage, sendMessage } = useWebSocket(url);
  return (
    <div>
      <p>{isConnected ? 'up' : 'down'}</p>
      <button onClick={() => sendMessage({ type: 'ping' })}>Ping</button>
      <pre>{lastMessage?.type}</pre>
    </div>
  );
}

/** Gives up after so many attempts. */
function GivesUp({ maxReconnectAttempts }: { maxReconnectAttempts: number }) {
  const { state } = useWebSocket({ reconnectInterval: 20, maxReconnectAttempts, onError: (error) => seen.errors.push(error.message) });
  return <p>{`state ${state}`}</p>;
}

/** Page d: subscribe to specific agent events, handle them, clean up on unmount. */
function AgentStatus({ agentId }: { agentId: string }) {
  const { isConnected, lastMessage, subscribe } = useWebSocket('/ws/v1', { reconnectInterval: 50 });
  useEffect(() => subscribe({ agentId, events: ['status', 'task_update', 'metrics'] }), [agentId, subscribe]);
  return <p>{isConnected ? `agent ${lastMessage?.data?.status}` : 'down'}</p>;
}

/** All messages of channels, and how they were rendered. */
function Listener({ channels, url = '/ws' }: { channels: string[]; url?: string }) {
  seen.renders += 1;
  const { isConnected, lastMessage } = useWebSocket({
    url,
    channels,
    reconnectInterval: 50,
    onMessage: (message) => seen.messages.push(message),
    onOpen: () => (seen.opens += 1),
    onError: (error) => seen.errors.push(error.message),
  });
  useEffect(() => {
    if (lastMessage) seen.last.push(lastMessage);
  }, [lastMessage]);
  return <p>{isConnected ? 'up' : 'down'}</p>;
}

function Stream({ channels }: { channels: string[] }) {
  const { isConnected, events } = useEventSource(`/api/events?channels=${channels.join(',')}`, {
    onEvent: (event) => seen.events.push(event),
  });
  const first = events[0]?.message.number;
  return <p>{`stream ${isConnected ? 'up' : 'down'} ${events.length} from ${first}`}</p>;
}

function Channel({ channels, types }: { channels: string[]; types?: string[] }) {
  const { state, messages } = useChannel([...channels], { ...(types && { types: [...types] }), onMessage: (message) => seen.channel.push(message) });
  return <p>{`channel ${state} ${messages.map(({ type }) => type)}`}</p>;
}

function Board({ projectId }: { projectId: string }) {
  const { connection, tasks, pending, error, createTask, updateTask } = useProject(projectId);
  return (
    <div>
      <p>{`board ${connection} ${error ?? ''}`}</p>
      <button onClick={() => void createTask({ title: 'Sow', status: 'todo' })}>Create</button>
      <button onClick={() => tasks[0] && void updateTask(tasks[0], { title: 'Reap' })}>Rename</button>
      {tasks.map((task) => (
        <p key={task.id}>{`task ${task.title}${pending.has(String(task.id)) ? ' pending' : ''}`}</p>
      ))}
    </div>
  );
}

function People({ projectId }: { projectId: string }) {
  const { connection, people, update } = usePresence(projectId);
  return (
    <div>
      <p>{`people ${connection}: ${people.map(({ userId, status }) => `${userId}${status ? ` is ${status}` : ''}`).join(', ')}.`}</p>
      <button onClick={() => void update({ status: 'away' })}>Away</button>
    </div>
  );
}

const SCENES = {
  AgentStatus,
  AIComponent,
  AutomaticReconnection,
  Board,
  ByUrl,
  Channel,
  DebugMode,
  EventMonitor,
  GivesUp,
  Listener,
  MyComponent,
  People,
  RealtimeMonitor,
  Stream,
  TaskBoard,
  WebSocketInspector,
};

export interface Shown {
  name: keyof typeof SCENES;
  props?: object;
}

interface Where {
  url?: string;
  userId?: string;
}

declare global {
  interface Window {
    seen: typeof seen;
    show(scenes: Shown[], where?: Where): void;
    leave(): void;
    streams(): number;
  }
}

/** All streams of the page. */
const streams: EventSource[] = [];
window.EventSource = class extends EventSource {
  constructor(url: string | URL) {
    super(url);
    streams.push(this);
  }
};
window.streams = () => streams.filter(({ readyState }) => readyState === EventSource.OPEN).length;

let root: Root | null = null;
window.seen = seen;

/** Shows scenes, in the place of those before; below a provider if it is said where the server is. */
window.show = (scenes, where) => {
  const shown: ReactNode = scenes.map(({ name, props = {} }) => {
    const Scene = SCENES[name] as ComponentType<object>;
    return <Scene key={name} {...props} />;
  });
  root ??= createRoot(document.body.appendChild(document.createElement('div')));
  root.render(<StrictMode>{where ? <BoardcastProvider {...where}>{shown}</BoardcastProvider> : shown}</StrictMode>);
};

window.leave = () => {
  root?.unmount();
  root = null;
};
