#!/bin/sh
':' /*
# sh(1) runs these lines and Node the rest, to which they are a comment. Node would obey some options among the user's
# words, so each word gets a colon before it. own-words.ts of @lamella/syscall has the contract with what follows.
# Variables have names that no environment has: what is exported is passed on.
lamella_node=${LAMELLA_NODE:-node}
if ! command -v "$lamella_node" >/dev/null; then
	echo "lamella: there is no '$lamella_node' in PATH: install Node 24 or later, or name one in LAMELLA_NODE" >&2
	exit 125
fi
if [ "${BASH_VERSINFO-}" ]; then
	eval 'set -- "${@/#/:}"'
else
	# All words at once: one by one takes time by the square of their number. So does one long string, hence two.
	lamella_count=0 lamella_all= lamella_some=
	for lamella_word do
		lamella_count=$((lamella_count + 1))
		lamella_some="$lamella_some \":\${$lamella_count}\""
		case $lamella_count in *[05]00) lamella_all=$lamella_all$lamella_some lamella_some= ;; esac
	done
	eval "set -- $lamella_all$lamella_some"
fi
exec "$lamella_node" "$0" : "$@"
# */
// CommonJS, and as little of it as possible: `lamella run` is on the way to somebody's command.
// The compile cache spares V8 what it compiled the last time; bundles hold all of the commands that are typed all day.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`lamella: this is Node ${process.versions.node}; Node 24 or later is needed\n`);
  process.exit(125);
}
require('../dist/compile-cache.cjs');
const { BUNDLES } = require('./bundles.cjs');
const [first, second] = process.argv.slice(2);
const name = first === ':' ? second?.slice(1) : first;
const bundle = Object.keys(BUNDLES).find((each) => BUNDLES[each].includes(name)) ?? 'own-words';
const fast = require(`../dist/${bundle}.cjs`);
const [command, ...rest] = fast.ownWords('lamella', 125);
if (fast.main && !fast.wantsHelp(command, rest)) fast.main(command, rest);
else {
  // Other modules get node:fs as ownWords has left it, its promises too, once those have been asked for here.
  void require('node:fs').promises;
  import('../dist/main.js').then(({ main }) => main(process.argv.slice(2)));
}
