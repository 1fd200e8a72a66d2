// Which messages may be sent again after the connection broke: commands, under a key, and what only reads.

const KINDS = 'projects?|tasks?|epics?|sprints?|comments?|members?';
const VERBS =
  'create|update|delete|restore|toggle|status|move|reorder|bulk_?create|bulk_?update|bulk_?delete|complete|archive|unarchive|' +
  'assign|unassign|start|add|role|remove';
const COMMAND = new RegExp(`^(?:${KINDS})[:._-]?(?:${VERBS})$`, 'i');
const READ = /^(?:(?:join|leave)[:._-]?projects?|project[:._-]?(?:snapshot|sync)|subscribe|unsubscribe|auth[:._-]?refresh)$/i;
/** What is worth nothing a second later. */
const SIGNAL = /^(?:typing(?:[:._-]?(?:start|stop))?|task[:._-]?edit(?:ing)?(?:[:._-]?(?:start|stop))?|presence[:._-]?update)$/i;

/** Whether a message changes something, and has one effect under an idempotency key. */
export const isCommand = (type: string): boolean => COMMAND.test(type);

/** Whether a message changes nothing that a second one would change again. */
export const isRead = (type: string): boolean => READ.test(type);

/** Whether a message is not worth keeping for another connection. */
export const isSignal = (type: string): boolean => SIGNAL.test(type);
