// The envelope of the agent platform's page, by its names.

/** The types of the page. Others may be published, too. */
export type MessageType =
  | 'connect' | 'disconnect' | 'ping' | 'pong' | 'error'
  | 'auth_request' | 'auth_success' | 'auth_failure'
  | 'subscribe' | 'unsubscribe' | 'subscription_update'
  | 'agent_status' | 'agent_task_update' | 'agent_log' | 'agent_metric' | 'agent_error'
  | 'tdd_phase_change' | 'test_result' | 'coverage_update'
  | 'workflow_started' | 'workflow_step_complete' | 'workflow_complete' | 'workflow_failed'
  | 'system_notification' | 'system_alert' | 'deployment_status'
  | 'github_issue_update' | 'github_pr_update' | 'github_workflow_update'
  | 'ack'
  | (string & {});

/** A message in the envelope. */
export interface WebSocketMessage<Data = any> {
  id: string;
  type: MessageType;
  /** In milliseconds. */
  timestamp: number;
  data: Data;
  metadata?: MessageMetadata;
}

export interface MessageMetadata {
  version: string;
  source?: string;
  correlationId?: string | null;
  /** `data` is base64 of gzip; the clients of this package unpack it. */
  compressed?: boolean;
  /** Of an event: its channel, its place in it, and where the client stands after it. */
  channel?: string;
  seq?: number;
  cursor?: string;
  [field: string]: unknown;
}

/** Hears a message. */
export type EventHandler<Data = any> = (message: WebSocketMessage<Data>) => unknown;
