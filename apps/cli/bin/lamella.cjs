#!/usr/bin/env node
// CommonJS, and as little of it as possible: `lamella run` is on the way to somebody's command.
// The compile cache spares V8 what it compiled the last time; one bundle holds all of `run`.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`lamella: this is Node ${process.versions.node}; Node 24 or later is needed\n`);
  process.exit(125);
}
const { enableCompileCache } = require('node:module');
enableCompileCache();
const [, , command, ...rest] = process.argv;
const run = command === 'run' ? require('../dist/run.cjs') : undefined;
if (run && !run.wantsHelp(rest)) run.main(rest);
else import('../dist/main.js').then(({ main }) => main(process.argv.slice(2)));
