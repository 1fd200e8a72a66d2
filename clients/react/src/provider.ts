import type { BoardcastClient } from '@boardcast/client';
import { createContext, createElement, useContext, useEffect, useMemo, type ReactNode } from 'react';
import { Server, tokenOf, type Identity } from './server.js';
import { useLatest } from './useLatest.js';

const PAGE = new Server({});
const ServerContext = createContext<Server>(PAGE);

export interface BoardcastProviderProps extends Identity {
  /** The server: `http://localhost:8002`. Without it, the one that the page came from. */
  readonly url?: string | undefined;
  /** A Socket.IO connection of your own. Otherwise one is made as soon as a hook needs it, and all hooks share it. */
  readonly client?: BoardcastClient | undefined;
  readonly children?: ReactNode;
}

/** Says to the hooks below which server they talk to, and as whom. */
export function BoardcastProvider({ url, client, token, userId, children }: BoardcastProviderProps): ReactNode {
  const latest = useLatest(token);
  // Another user is another connection. Another token is shown the next time that one is asked for.
  const server = useMemo(() => {
    return new Server({ url, client, userId, token: () => tokenOf(latest.current) });
  }, [url, client, userId, latest]);
  useEffect(() => server.hold(), [server]);
  return createElement(ServerContext.Provider, { value: server }, children);
}

/** The server of the provider around this component, or the page's own. */
export function useServer(): Server {
  return useContext(ServerContext);
}
