class AutoSDLCWebSocket:
    async def connect(self)
    async def subscribe_to_agent(self, agent_id: str, events: List[str])
    def on(self, event: str, handler: Callable)
