import { useChannel } from './boardcast/useChannel';

export function Activity({ url, channels }: { url: string; channels: readonly string[] }) {
  const { state, messages } = useChannel(url, channels);
  return (
    <aside>
      <header>
        <h2>Activity</h2>
        <output className={state}>{state}</output>
      </header>
      <ol aria-label="activity">
        {messages.map((message, index) => (
          <li key={message.id ?? `notice ${index}`}>
            <b>{message.type}</b> on {message.channel} <code>{JSON.stringify(message.message)}</code>
          </li>
        ))}
      </ol>
    </aside>
  );
}
