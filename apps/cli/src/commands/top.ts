import { readFile, stat } from 'node:fs/promises';
import { argument } from '../argument.js';
import { ContainerCommand } from '../container/container-command.js';
import { table } from '../output/table.js';

export class Top extends ContainerCommand {
  static override summary = 'List the processes of a container, as the host sees them.';
  static override examples = ['<%= config.bin %> top web'];
  static override args = { container: argument('its name, its id, or the beginning of it') };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Top);
    const processes = await (await this.containersOf(flags).get(args.container)).top();
    const rows = await Promise.all(
      processes.map(async ({ pid, ppid, name, state, ticks, resident, threads }) => {
        const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).replace(/\0$/, '').replaceAll('\0', ' ');
        const uid = await stat(`/proc/${pid}`).then(
          (found) => found.uid,
          () => -1,
        );
        return { pid, ppid, uid, state, threads, resident: resident * 4096, seconds: ticks / 100, command: command || `[${name}]` };
      }),
    );
    this.print(
      flags.json,
      rows,
      table(
        ['PID', 'PPID', 'UID', 'STATE', 'THREADS', 'TIME', 'COMMAND'],
        rows.map(({ pid, ppid, uid, state, threads, seconds, command }) => [...[pid, ppid, uid].map(String), state, String(threads), clock(seconds), command]),
      ),
    );
  }
}

function clock(seconds: number): string {
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, Math.floor(seconds) % 60];
  return [h, m, s].map((each) => String(each).padStart(2, '0')).join(':');
}
