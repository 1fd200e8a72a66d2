export function useWebSocket(url: string, options?: WebSocketOptions) {
  // Returns: { isConnected, lastMessage, sendMessage, subscribe }
}
