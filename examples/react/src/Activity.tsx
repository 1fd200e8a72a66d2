import { useChannel } from '@boardcast/react';

export function Activity({ channels }: { channels: readonly string[] }) {
  const { state, messages } = useChannel(channels);
  return (
    <aside>
      <header>
        <h2>Activity</h2>
        <output className={state}>{state}</output>
      </header>
      <ol aria-label="activity">
        {messages.map((message, index) => (
          <li key={message.id ?? `notice ${index}`}>
            <b>{message.type}</b> on {message.channel} <code>{JSON.stringify(message.data)}</code>
          </li>
        ))}
      </ol>
    </aside>
  );
}
