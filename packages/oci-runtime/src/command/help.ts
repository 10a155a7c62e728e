import { COMMANDS } from './commands.js';
import type { Flags } from './parse-flags.js';

/** What `--help` shows, of one command or of all. */
export function help(name: string | undefined, globals: Flags): string {
  const command = name === undefined ? undefined : COMMANDS[name];
  if (command)
    return `${command.about}\n\nUSAGE\n  lamella-oci [global flags] ${name} [flags] ${command.usage}\n${Object.keys(command.flags).length ? `\nFLAGS\n${table(command.flags)}` : ''}`;
  const width = Math.max(...Object.keys(COMMANDS).map((each) => each.length));
  const commands = Object.entries(COMMANDS).map(([each, { about }]) => `  ${each.padEnd(width)}  ${about}`);
  return `An OCI runtime: containers from bundles, for engines and for people.\n\nUSAGE\n  lamella-oci [global flags] COMMAND [flags] …\n\nCOMMANDS\n${commands.join('\n')}\n\nGLOBAL FLAGS\n${table(globals)}`;
}

function table(flags: Flags): string {
  const rows = Object.entries(flags).map(
    ([name, { short, value, about }]) => [`${short ? `-${short}, ` : '    '}--${name}${value ? ` ${value}` : ''}`, about] as const,
  );
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}\n`).join('');
}
