#!/bin/sh
':' /*
# sh(1) runs these lines and Node the rest, to which they are a comment. Node would obey some options among the user's
# words, so each word gets a colon before it. own-words.ts of @lamella/syscall has the contract with what follows.
# Variables have names that no environment has: what is exported is passed on.
lamella_node=${LAMELLA_NODE:-node}
if ! command -v "$lamella_node" >/dev/null; then
	echo "lamella-oci: there is no '$lamella_node' in PATH: install Node 24 or later, or name one in LAMELLA_NODE" >&2
	exit 1
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
// CommonJS, and as little of it as possible: engines start this three times for each container.
const [major] = process.versions.node.split('.');
if (Number(major) < 24) {
  process.stderr.write(`lamella-oci: this is Node ${process.versions.node}; Node 24 or later is needed\n`);
  process.exit(1);
}
require('../dist/compile-cache.cjs');
const { main, ownWords } = require('../dist/command/lamella-oci.cjs');
main(ownWords('lamella-oci', 1)).then((status) => process.exit(status));
