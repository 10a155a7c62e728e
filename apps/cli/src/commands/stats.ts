import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerUsage, StoredContainer } from '@lamella/engine';
import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand, displayName } from '../command-classes/container-command.js';
import { stdout } from '../output/out.js';
import { asIs, type Printable } from '../output/printable.js';
import { table } from '../output/table.js';
import { bytes } from '../output/units.js';
import { type Headers, listFormat } from '../template/fill.js';

const PERIOD = 1000;
/** Moves the cursor to the top left and clears the screen. */
const CLEAR = asIs('\u001b[H\u001b[2J');

export class Stats extends ContainerCommand {
  static override summary = "Display a live stream of containers' resource usage";
  static override description = 'Without arguments all running containers are shown. A container without its own cgroup is measured by its processes.';
  static override usage = 'stats [OPTIONS] [CONTAINER…]';
  static override examples = [
    '<%= config.bin %> stats',
    { description: 'Print the usage once as JSON:', command: '<%= config.bin %> stats --no-stream --json web' },
  ];
  static override strict = false;
  static override flags = {
    stream: boolean({ default: true, allowNo: true, description: 'Stream until ctrl-c; --no-stream prints the first result only' }),
    format: string({
      helpValue: 'table [TEMPLATE]|json|TEMPLATE',
      default: 'table',
      description: 'Format output as a table, as JSON, or with a template of .Container .Name .ID .CPUPerc .MemUsage .MemPerc .NetIO .BlockIO .PIDs',
    }),
    'no-trunc': boolean({ description: 'Do not truncate output (always on)' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Stats);
    const print = listFormat(flags.format, HEADERS);
    const containers = this.containersOf(flags);
    const named = await Promise.all((argv as string[]).map((reference) => containers.get(reference)));
    let over = false;
    const end = (): void => {
      over = true;
    };
    process.once('SIGINT', end);
    process.once('SIGTERM', end);
    const live = flags.stream && !flags.json && stdout.isTerminal;
    const before = new Map<string, ContainerUsage>();
    const measure = async (): Promise<Row[]> => {
      const states = (await containers.list()).filter(
        ({ status, id }) => (status === 'running' || status === 'paused') && (!named.length || named.some((each) => each.id === id)),
      );
      const rows = await Promise.all(
        states.map(async (state) => {
          const usage = await currentUsage(await containers.get(state.id).catch(gone));
          if (!usage) return undefined;
          const earlier = before.get(state.id);
          before.set(state.id, usage);
          return row(displayName(state), state.id, usage, earlier);
        }),
      );
      return rows.filter((each) => each !== undefined);
    };
    // The CPU usage is computed from two measurements.
    await measure();
    do {
      await sleep(flags.stream ? PERIOD : PERIOD / 2);
      const rows = await measure();
      if (live) stdout.prompt(CLEAR);
      const cells = rows.map(cellsOf);
      this.print(flags.json, rows, print ? print(cells) : shown(cells));
    } while (flags.stream && !over);
  }
}

interface Row {
  readonly name: string;
  readonly id: string;
  readonly cpuPercent: number;
  readonly memory: number;
  readonly memoryLimit: number;
  readonly network: ContainerUsage['network'];
  readonly block: ContainerUsage['block'];
  readonly processes: number;
}

function row(name: string, id: string, usage: ContainerUsage, before: ContainerUsage | undefined): Row {
  const { memory, memoryLimit, network, block, processes } = usage;
  const elapsed = before ? usage.time.getTime() - before.time.getTime() : 0;
  const cpuPercent = before && elapsed > 0 ? Math.max(0, (usage.cpu - before.cpu) / 10 / elapsed) : 0;
  return { name, id, cpuPercent: Math.round(cpuPercent * 100) / 100, memory, memoryLimit, network, block, processes };
}

const HEADERS = {
  Container: 'CONTAINER ID',
  ID: 'CONTAINER ID',
  Name: 'NAME',
  CPUPerc: 'CPU %',
  MemUsage: 'MEM USAGE / LIMIT',
  MemPerc: 'MEM %',
  NetIO: 'NET I/O',
  BlockIO: 'BLOCK I/O',
  PIDs: 'PIDS',
} as const satisfies Headers;

type Cells = Record<keyof typeof HEADERS, string>;

const COLUMNS = ['ID', 'Name', 'CPUPerc', 'MemUsage', 'MemPerc', 'NetIO', 'BlockIO', 'PIDs'] as const;

function cellsOf({ id, name, cpuPercent, memory, memoryLimit, network, block, processes }: Row): Cells {
  return {
    Container: id,
    ID: id,
    Name: name,
    CPUPerc: `${cpuPercent.toFixed(2)}%`,
    MemUsage: `${bytes(memory)} / ${bytes(memoryLimit)}`,
    MemPerc: `${((memory / memoryLimit) * 100).toFixed(2)}%`,
    NetIO: `${bytes(network.received)} / ${bytes(network.sent)}`,
    BlockIO: block ? `${bytes(block.read)} / ${bytes(block.written)}` : '-',
    PIDs: String(processes),
  };
}

function shown(rows: readonly Cells[]): Printable[] {
  return table(
    COLUMNS.map((name) => HEADERS[name]),
    rows.map((row) => COLUMNS.map((name) => row[name])),
  );
}

/** Returns the usage of a container; undefined if it has just exited. */
async function currentUsage(container: StoredContainer | undefined): Promise<ContainerUsage | undefined> {
  return container?.usage().catch(gone);
}

function gone(error: { code?: string }): undefined {
  if (error.code === 'CONTAINER_NOT_RUNNING' || error.code === 'CONTAINER_NOT_FOUND') return undefined;
  throw error;
}
