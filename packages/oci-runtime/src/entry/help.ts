import type { Flags } from '../command-line/parse-flags.js';
import { COMMANDS } from '../commands/commands.js';

/** Returns the help of a command, or of all commands. */
export function help(name: string | undefined, globals: Flags): string {
  const command = name === undefined ? undefined : COMMANDS[name];
  if (command) {
    const usage = ['lamella-oci', '[GLOBAL OPTIONS]', name, '[OPTIONS]', command.usage].filter(Boolean).join(' ');
    return `${command.summary}\n\nUsage:\n  ${usage}\n${Object.keys(command.flags).length ? `\nOptions:\n${table(command.flags)}` : ''}`;
  }
  const width = Math.max(...Object.keys(COMMANDS).map((each) => each.length));
  const commands = Object.entries(COMMANDS).map(([each, { summary }]) => `  ${each.padEnd(width)}  ${summary}`);
  return `An OCI runtime: run containers from bundles\n\nUsage:\n  lamella-oci [GLOBAL OPTIONS] COMMAND [OPTIONS] [ARG…]\n\nCommands:\n${commands.join('\n')}\n\nGlobal Options:\n${table(globals)}`;
}

function table(flags: Flags): string {
  const rows = Object.entries(flags).map(
    ([name, { short, value, about }]) => [`${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`, about] as const,
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}
