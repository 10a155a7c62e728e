import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { table } from '../output/table.js';
import { bytes } from '../output/units.js';

export class Top extends ContainerCommand {
  static override summary = 'Display the running processes of a container';
  static override examples = ['<%= config.bin %> top web'];
  static override args = { container: requiredArgument('Name or ID of the container') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Top);
    const processes = await (await this.containersOf(flags).get(args.container)).top();
    const rows = processes.map(({ pid, ppid, uid, state, threads, memory, cpu, args: words, name }) => ({
      pid,
      ppid,
      uid,
      state,
      threads,
      memory,
      seconds: cpu,
      command: words.join(' ') || `[${name}]`,
    }));
    this.print(
      flags.json,
      rows,
      table(
        ['PID', 'PPID', 'UID', 'STATE', 'THREADS', 'MEMORY', 'TIME', 'COMMAND'],
        rows.map(({ pid, ppid, uid, state, threads, memory, seconds, command }) => [
          ...[pid, ppid, uid].map(String),
          state,
          String(threads),
          bytes(memory),
          clock(seconds),
          command,
        ]),
      ),
    );
  }
}

function clock(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return [h, m, s].map((each) => String(each).padStart(2, '0')).join(':');
}
