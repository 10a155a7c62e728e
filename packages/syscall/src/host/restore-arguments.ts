import { readFileSync } from 'node:fs';
import { textOf } from '../text/byte-text.js';
import { keepBytes } from './keep-bytes.js';

/**
 * The words of a command line, whoever has read them before. Node looks for `--env-file` and `--experimental-config-file`
 * among all of its arguments, those of the script included, and obeys before any script runs.
 *
 * Therefore a launcher starts Node: `bin/lamella` and `bin/lamella-oci`, in sh(1). The contract between launcher and program:
 *
 *     NODE SCRIPT : :WORD :WORD …
 *
 * The first colon says that the words are marked. A marked word has a colon before it, so that Node takes none for an option.
 * NODE is `$LAMELLA_NODE`, else the first `node` in `$PATH`. Environment, descriptors and the current directory are the launcher's.
 * dash(1) drops variables whose names are no identifiers (`a.b`).
 *
 * `NODE SCRIPT WORD …`, which is Node started directly, is accepted where Node reads none of the words. Else the program starts again by
 * the launcher, whose path is SCRIPT's without `.cjs`.
 */
const READ_BY_NODE = /^--(?:env[-_]file|experimental[-_](?:default[-_])?config[-_]file)/;

/** What Node puts in the place of bytes that are no UTF-8. */
const REPLACED = '\ufffd';

/**
 * Returns the words that the user typed (see `textOf`), and puts them into `process.argv`. From then on the process keeps bytes that are
 * no UTF-8: see {@link keepBytes}.
 *
 * @param program its name, for messages
 * @param status ends the process where Node has read a word and starting again is impossible
 */
export function restoreArguments(program: string, status: number): readonly string[] {
  const [node = '', script = '', ...given] = process.argv;
  const exact = given.some((word) => word.includes(REPLACED)) ? lastWords(given.length) : given;
  const marked = exact[0] === ':';
  if (!marked && readByNode(exact) !== undefined) startAgain(program, status, script.replace(/\.cjs$/, ''), exact);
  const words = marked ? exact.slice(1).map((word) => word.slice(1)) : exact;
  process.argv = [node, script, ...words];
  keepBytes();
  return words;
}

/** Returns the first word that Node would obey wherever it stands in Node's arguments. */
export function readByNode(words: readonly string[]): string | undefined {
  return words.find((word) => READ_BY_NODE.test(word));
}

/** As the kernel has them. */
function lastWords(count: number): readonly string[] {
  return textOf(readFileSync('/proc/self/cmdline')).split('\0').slice(0, -1).slice(-count);
}

/** By the launcher, and with the environment as it was before Node added to it. */
function startAgain(program: string, status: number, launcher: string, words: readonly string[]): never {
  const environment = textOf(readFileSync('/proc/self/environ')).split('\0').slice(0, -1);
  // Node's execve takes text, and replaces what is none.
  if ([...words, ...environment].every((each) => each.isWellFormed())) {
    const variables = environment.map((each): [string, string] => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]);
    process.execve?.('/bin/sh', ['sh', launcher, ...words], { ...Object.fromEntries(variables), LAMELLA_NODE: process.execPath });
  }
  process.stderr.write(
    `${program}: Node was started directly and has read options that are meant for ${program}\n  Start the program itself instead of Node: ${launcher}\n`,
  );
  process.exit(status);
}
