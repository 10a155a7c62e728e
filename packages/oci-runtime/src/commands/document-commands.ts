import path from 'node:path';
import type { Command } from '../command-line/command.js';
import { booleanFlag, textFlag } from '../command-line/parse-flags.js';
import { printJson } from '../command-line/print.js';
import { OciError } from '../errors/oci-error.js';
import { features } from '../operations/features.js';
import { writeSpec } from '../operations/spec.js';

/** The commands that need no container. */
export const DOCUMENT_COMMANDS = {
  features: {
    summary: 'Show the features of the runtime as JSON',
    usage: '',
    flags: {},
    arguments: [0, 0],
    run({ version }) {
      return printJson(features(version), 2);
    },
  },
  spec: {
    summary: 'Create a config.json for a new bundle',
    usage: '',
    flags: {
      bundle: { type: 'string', short: 'b', value: 'DIR', about: 'Path to the bundle directory (default: the current directory)' },
      rootless: { type: 'boolean', about: 'Generate a configuration for an ordinary user' },
    },
    arguments: [0, 0],
    run(_context, values) {
      writeSpec(path.resolve(textFlag(values, 'bundle') ?? '.'), booleanFlag(values, 'rootless'));
      return 0;
    },
  },
} as const satisfies Readonly<Record<string, Command>>;

/** `checkpoint` and `restore`, which engines may call: they fail with a clear message. */
export const UNSUPPORTED_COMMAND: Command = {
  summary: 'Not supported: requires CRIU',
  usage: 'CONTAINER',
  flags: {},
  arguments: [0, Number.POSITIVE_INFINITY],
  passesOn: true,
  run() {
    throw new OciError({
      code: 'CHECKPOINT_UNSUPPORTED',
      message: 'checkpoint and restore are not supported: lamella-oci does not use CRIU',
      hint: 'Use a runtime with CRIU support, such as runc or crun.',
    });
  },
};
