interface WebSocketMessage {
  id: string;
  type: MessageType;
  timestamp: number;
  data: any;
  metadata?: {
    version: string;
    source?: string;
    correlationId?: string;
    compressed?: boolean;
  };
}
