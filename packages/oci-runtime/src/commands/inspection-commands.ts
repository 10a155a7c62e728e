import { execFileSync } from 'node:child_process';
import { processesOf } from '@lamella/cgroup';
import { visible } from '@lamella/syscall';
import type { Command } from '../command-line/command.js';
import { booleanFlag, type Flag, textFlag, usageError, type Values } from '../command-line/parse-flags.js';
import { print, printJson } from '../command-line/print.js';
import { listContainers } from '../operations/list.js';
import { readStored, stateOf, statusOf } from '../state/stored-container.js';

const FORMAT: Flag = { type: 'string', short: 'f', value: 'table|json', about: 'Output format (default: table)' };

/** The commands that show containers and their processes. */
export const INSPECTION_COMMANDS = {
  state: {
    summary: 'Show the state of a container as JSON',
    usage: 'CONTAINER',
    flags: {},
    arguments: [1, 1],
    run({ root }, _values, [id = '']) {
      const found = readStored(root, id);
      return printJson(stateOf(found.stored, statusOf(found)), 2);
    },
  },
  list: {
    summary: 'List containers',
    usage: '',
    flags: { format: FORMAT, quiet: { type: 'boolean', short: 'q', about: 'Only display container IDs' } },
    arguments: [0, 0],
    run({ root, log }, values) {
      const format = formatOf(values);
      const all = listContainers(root, log.warn);
      if (booleanFlag(values, 'quiet')) return print(all.map(({ id }) => `${id}\n`).join(''));
      if (format === 'json') return printJson(all);
      const cells = all.map(({ id, pid, status, bundle, created, owner }) => [id, pid, status, bundle, created, owner].map((cell) => visible(String(cell))));
      return print(columns([['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'], ...cells]));
    },
  },
  ps: {
    summary: 'Display the processes of a container',
    usage: 'CONTAINER [PS OPTIONS]',
    flags: { format: FORMAT },
    arguments: [1, Number.POSITIVE_INFINITY],
    passesOn: true,
    run({ root }, values, [id = '', ...options]) {
      const format = formatOf(values);
      const { stored } = readStored(root, id);
      const pids = processesOf(stored.cgroup);
      if (format === 'json') return printJson(pids);
      const [header = '', ...lines] = execFileSync('ps', options.length ? options : ['-ef'], { encoding: 'utf8' }).split('\n');
      const column = header.trim().split(/\s+/).indexOf('PID');
      if (column < 0) throw usageError('the ps options must show the column PID');
      const shown = lines.filter((line) => pids.includes(Number(line.trim().split(/\s+/)[column])));
      return print([header, ...shown].map((line) => `${line}\n`).join(''));
    },
  },
} as const satisfies Readonly<Record<string, Command>>;

function formatOf(values: Values): 'table' | 'json' {
  const format = textFlag(values, 'format') ?? 'table';
  if (format !== 'table' && format !== 'json') throw usageError(`invalid format option '${format}': use table or json`);
  return format;
}

/** Returns rows as aligned columns, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}
