// CommonJS, and as little of it as possible, because its start time delays every `lamella run`.
// The compile cache keeps V8 from compiling twice. The bundles have the frequent commands.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`lamella: Node ${process.versions.node} is not supported: install Node 24 or later\n`);
  process.exit(125);
}
require('../dist/compile-cache.cjs');
require('../dist/remember-node.cjs').rememberNode(require('node:path').dirname(__dirname));
const { BUNDLES, LONGER } = require('./bundles.cjs');
const begun = process.argv.slice(2, 5);
const [first, second] = begun[0] === ':' ? begun.slice(1).map((word) => word.slice(1)) : begun;
const shorter = LONGER[`${first} ${second}`];
const name = shorter ?? first;
const bundle = Object.keys(BUNDLES).find((each) => BUNDLES[each].includes(name)) ?? 'restore-arguments';
const fast = require(`../dist/${bundle}.cjs`);
const words = fast.restoreArguments('lamella', 125);
if (shorter !== undefined) words.splice(0, 2, shorter);
const [command, ...rest] = words;
if (fast.main && !fast.wantsHelp(command, rest)) fast.main(command, rest);
else {
  // After this access other modules get the promises of node:fs as restoreArguments has changed them.
  void require('node:fs').promises;
  import('../dist/main.js').then(({ main }) => main(words));
}
