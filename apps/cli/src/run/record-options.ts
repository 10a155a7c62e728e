import path from 'node:path';
import type { RecordOptions } from '@lamella/engine';
import { stderr } from '../output/out.js';

/**
 * Returns how a command line may be recorded; undefined if it may not, because its last words are not those of the container.
 *
 * @param argv the words after the command
 * @param args those of them that are the container's own
 */
export function recordOptions(
  command: string,
  argv: readonly string[],
  args: readonly string[],
  { debug = false }: { readonly debug?: boolean },
): RecordOptions | undefined {
  const before = argv.slice(0, argv.length - args.length);
  if (argv.slice(before.length).some((word, i) => word !== args[i])) return undefined;
  return {
    package: path.join(import.meta.dirname, '..'),
    words: [command, ...before],
    files: [path.join(import.meta.dirname, 'run.cjs')],
    debug,
    ...(debug ? { onRefused: (why: string) => stderr.line(`lamella: this run has no record, so the next one starts Node as well: ${why}`) } : {}),
  };
}
