// Enhanced WebSocket authentication
interface AuthenticatedClient extends ExtensionClient {
  userId: string;
  apiKey: string;
  permissions: string[];
}

private async handleHandshake(client: ExtensionClient, data: any): Promise<void> {
  // Validate API key
  const apiKey = data.apiKey;
  if (!apiKey || !await this.validateApiKey(apiKey)) {
    this.sendError(client, 'Invalid API key');
    client.ws.close();
    return;
  }

  // Set authenticated client data
  const authClient = client as AuthenticatedClient;
  authClient.apiKey = apiKey;
  authClient.userId = await this.getUserIdFromApiKey(apiKey);
  authClient.permissions = await this.getPermissions(authClient.userId);

  // Continue with normal handshake...
}
