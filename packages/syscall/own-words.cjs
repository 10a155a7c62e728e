/**
 * The words of a command line, whoever has read them before. Node looks for `--env-file` and `--experimental-config-file`
 * among all of its arguments, those of the script included, and obeys before any script runs.
 *
 * Therefore a launcher starts Node: the first lines of `bin/*.cjs`, in sh(1). The contract between launcher and program:
 *
 *     NODE SCRIPT : :WORD :WORD …
 *
 * The first colon says that the words are marked. A marked word has a colon before it, so that Node takes none for an option.
 * NODE is `$LAMELLA_NODE`, else the first `node` in `$PATH`. Environment, descriptors and the current directory are the launcher's.
 * dash(1) drops variables whose names are no identifiers (`a.b`).
 *
 * `NODE SCRIPT WORD …`, which is Node started directly, is accepted where Node reads none of the words. Else the program starts again by
 * the launcher.
 */
const { readFileSync } = require('node:fs');

const READ_BY_NODE = /^--(?:env[-_]file|experimental[-_](?:default[-_])?config[-_]file)/;

/**
 * Returns the words that the user typed, and puts them into `process.argv`.
 *
 * @param {string} program its name, for messages
 * @param {number} status ends the process where Node has read a word and starting again is impossible
 */
exports.ownWords = (program, status) => {
  const [node, script, ...given] = process.argv;
  const marked = given[0] === ':';
  if (!marked && exports.readByNode(given) !== undefined) startAgain(program, status, script, given);
  const words = marked ? given.slice(1).map((word) => word.slice(1)) : given;
  process.argv = [node, script, ...words];
  return words;
};

/** Returns the first word that Node would obey wherever it stands in Node's arguments. */
exports.readByNode = (words) => words.find((word) => READ_BY_NODE.test(word));

/** By the launcher, and with the environment as it was before Node added to it. */
function startAgain(program, status, script, words) {
  const environment = readFileSync('/proc/self/environ', 'utf8').split('\0').slice(0, -1);
  const strings = [...words, ...environment];
  // Node's execve takes text, and has replaced what is none.
  if (strings.every((each) => !each.includes('\ufffd')) && process.execve) {
    const variables = environment.map((each) => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]);
    process.execve('/bin/sh', ['sh', script, ...words], { ...Object.fromEntries(variables), LAMELLA_NODE: process.execPath });
  }
  process.stderr.write(
    `${program}: Node was started directly and has read options that are meant for ${program}\n  Start the program itself instead of Node: ${script}\n`,
  );
  process.exit(status);
}
