/** Commands whose arguments complete to images of the store. */
export const IMAGE_COMMANDS = ['run', 'create', 'rmi', 'push', 'save', 'tag'] as const;

/** Commands whose arguments complete to names and ids of containers. */
export const CONTAINER_COMMANDS = [
  'start',
  'stop',
  'restart',
  'kill',
  'rm',
  'exec',
  'attach',
  'logs',
  'inspect',
  'pause',
  'unpause',
  'wait',
  'rename',
  'top',
  'stats',
  'port',
  'cp',
] as const;
