#!/usr/bin/env node
// CommonJS, and as little of it as possible: `lamella run` is on the way to somebody's command.
// The compile cache spares V8 what it compiled the last time; bundles hold all of the commands that are typed all day.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`lamella: this is Node ${process.versions.node}; Node 24 or later is needed\n`);
  process.exit(125);
}
require('../dist/compile-cache.cjs');
const [, , command, ...rest] = process.argv;
const { BUNDLES } = require('./bundles.cjs');
const bundle = Object.keys(BUNDLES).find((name) => BUNDLES[name].includes(command));
const fast = bundle && require(`../dist/${bundle}.cjs`);
if (fast && !fast.wantsHelp(command, rest)) fast.main(command, rest);
else import('../dist/main.js').then(({ main }) => main(process.argv.slice(2)));
