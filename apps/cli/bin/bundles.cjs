/** The commands of each bundle in dist/. The build checks that both agree. */
exports.BUNDLES = {
  // `.front-failure` is internal: the front of a container executes it to report a failure.
  run: ['run', 'exec', '.front-failure'],
  try: ['try'],
  container: [
    'apply',
    'attach',
    'changes',
    'checkpoint',
    'cp',
    'create',
    'diff',
    'discard',
    'events',
    'fork',
    'history',
    'images',
    'inspect',
    'kill',
    'logs',
    'pause',
    'ps',
    'rename',
    'restart',
    'review',
    'rm',
    'rollback',
    'start',
    'stats',
    'stop',
    'top',
    'unpause',
    'wait',
  ],
};

const CONTAINER = 'attach commit cp create diff exec export inspect kill logs pause port rename restart rm run start stats stop top unpause wait';
const IMAGE = 'import load pull push save tag';
/** Docker's longer names of commands: `container ls` is `ps`. */
exports.LONGER = {
  'container ls': 'ps',
  'container list': 'ps',
  'container ps': 'ps',
  ...Object.fromEntries(CONTAINER.split(' ').map((each) => [`container ${each}`, each])),
  'image ls': 'images',
  'image list': 'images',
  'image rm': 'rmi',
  'image remove': 'rmi',
  ...Object.fromEntries(IMAGE.split(' ').map((each) => [`image ${each}`, each])),
};
