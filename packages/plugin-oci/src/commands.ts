import type { Command } from '@oclif/core/command';
import { Oci } from './commands/oci.js';
import { Spec } from './commands/spec.js';

/** The commands that `lamella plugins install @lamella/plugin-oci` adds, by name. */
export const COMMANDS: Readonly<Record<string, typeof Command>> = { oci: Oci, spec: Spec };
