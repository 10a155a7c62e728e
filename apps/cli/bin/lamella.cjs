// CommonJS, and as little of it as possible: `lamella run` is on the way to somebody's command.
// The compile cache spares V8 what it compiled the last time; bundles hold all of the commands that are typed all day.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`lamella: this is Node ${process.versions.node}; Node 24 or later is needed\n`);
  process.exit(125);
}
require('../dist/compile-cache.cjs');
require('../dist/remember-node.cjs').rememberNode(require('node:path').dirname(__dirname));
const { BUNDLES, LONGER } = require('./bundles.cjs');
const begun = process.argv.slice(2, 5);
const [first, second] = begun[0] === ':' ? begun.slice(1).map((word) => word.slice(1)) : begun;
const shorter = LONGER[`${first} ${second}`];
const name = shorter ?? first;
const bundle = Object.keys(BUNDLES).find((each) => BUNDLES[each].includes(name)) ?? 'own-words';
const fast = require(`../dist/${bundle}.cjs`);
const words = fast.ownWords('lamella', 125);
if (shorter !== undefined) words.splice(0, 2, shorter);
const [command, ...rest] = words;
if (fast.main && !fast.wantsHelp(command, rest)) fast.main(command, rest);
else {
  // Other modules get node:fs as ownWords has left it, its promises too, once those have been asked for here.
  void require('node:fs').promises;
  import('../dist/main.js').then(({ main }) => main(words));
}
