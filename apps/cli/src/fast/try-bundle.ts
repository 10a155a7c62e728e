import { Try } from '../commands/try.js';
import { type Bundle, bundleOf, type CommandClasses } from './command-bundle.js';

export { restoreArguments } from '@lamella/syscall/restore-arguments';

/** `try` alone: the bundle of the other commands on containers takes longer to load. */
export const COMMANDS: CommandClasses = { try: Try };

export const { wantsHelp, main }: Bundle = bundleOf(COMMANDS);
