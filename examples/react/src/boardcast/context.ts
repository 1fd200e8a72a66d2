import { createContext, useContext } from 'react';
import type { BoardSocket } from './socket';

/** One connection for the whole page; all hooks share it. */
export const SocketContext = createContext<BoardSocket | null>(null);

export function useSocket(): BoardSocket {
  const socket = useContext(SocketContext);
  if (!socket) throw new Error('there is no SocketContext around this component');
  return socket;
}
