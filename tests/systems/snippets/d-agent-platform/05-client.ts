export class AutoSDLCWebSocketClient {
  constructor(config: ClientConfig)
  async connect(): Promise<void>
  on(eventType: string, handler: EventHandler): Unsubscribe
  async subscribe(subscription: SubscriptionConfig): Promise<string>
  async send(message: Partial<WebSocketMessage>): Promise<void>
}
