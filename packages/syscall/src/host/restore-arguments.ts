import { readFileSync } from 'node:fs';
import { textOf } from '../text/byte-text.js';
import { keepBytes } from './keep-bytes.js';

/**
 * The arguments of a command line, exactly as the user typed them. Node itself looks for `--env-file` and
 * `--experimental-config-file` among all arguments, those of the script included, and obeys them before the script runs.
 *
 * Therefore a launcher starts Node: `lamella-init launch`, or the scripts `bin/lamella` and `bin/lamella-oci` themselves. The contract
 * between launcher and program:
 *
 *     NODE SCRIPT : :WORD :WORD …
 *
 * The first colon means that the words are marked. Each marked word begins with a colon, so that Node takes none for an option.
 * NODE is `$LAMELLA_NODE`, otherwise the one that native/launch/find-node.c finds. Environment, descriptors and working directory are
 * those of the launcher. dash(1) drops variables whose names are not identifiers (`a.b`).
 *
 * `NODE SCRIPT WORD …`, which is Node started directly, is accepted if Node reads none of the words. Otherwise the program starts
 * again through the launcher, whose path is SCRIPT without `.cjs`.
 */
const READ_BY_NODE = /^--(?:env[-_]file|experimental[-_](?:default[-_])?config[-_]file)/;

/** The replacement character of Node for bytes that are not UTF-8. */
const REPLACED = '\ufffd';

/**
 * Returns the arguments that the user typed (see `textOf`) and puts them into `process.argv`. From then on the process keeps bytes
 * that are not UTF-8: see {@link keepBytes}.
 *
 * @param program its name, for messages
 * @param status exit status if Node has read a word and the program cannot start again
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

/** Returns the first word that Node obeys wherever it stands among its arguments. */
export function readByNode(words: readonly string[]): string | undefined {
  return words.find((word) => READ_BY_NODE.test(word));
}

/** Returns the last arguments as the kernel has them. */
function lastWords(count: number): readonly string[] {
  return textOf(readFileSync('/proc/self/cmdline')).split('\0').slice(0, -1).slice(-count);
}

/** Starts the program again through the launcher, with the environment that was there before Node added to it. */
function startAgain(program: string, status: number, launcher: string, words: readonly string[]): never {
  const environment = textOf(readFileSync('/proc/self/environ')).split('\0').slice(0, -1);
  // Node's execve takes text and replaces bytes that are not UTF-8.
  if ([...words, ...environment].every((each) => each.isWellFormed())) {
    const variables = environment.map((each): [string, string] => [each.slice(0, each.indexOf('=')), each.slice(each.indexOf('=') + 1)]);
    process.execve?.('/bin/sh', ['sh', launcher, ...words], { ...Object.fromEntries(variables), LAMELLA_NODE: process.execPath });
  }
  process.stderr.write(
    `${program}: Node was started directly and has read options that are meant for ${program}\n  Start the program itself instead of Node: ${launcher}\n`,
  );
  process.exit(status);
}
