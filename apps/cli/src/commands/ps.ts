import type { StoredContainer } from '@lamella/engine';
import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { parseInteger } from '../command-line/go-values.js';
import { containerFilters } from '../container/container-filters.js';
import { CONTAINER_HEADERS, type ContainerRow, containerRow, labelsOf } from '../container/container-row.js';
import { UsageError } from '../errors/usage-error.js';
import type { Shown } from '../output/printable.js';
import { table } from '../output/table.js';
import { bytes } from '../output/units.js';
import { listFormat } from '../template/fill.js';

const COLUMNS = ['ID', 'Image', 'Command', 'RunningFor', 'Status', 'Ports', 'Names'] as const;

export class Ps extends ContainerCommand {
  static override summary = 'List containers: those that run, or all.';
  static override description = `Filters are those of Docker: id and name are regular expressions, of one key any value may fit (of labels all), and of
each key one has to. status, exited, before and since ask for all containers.

A template is one of Go: {{.Names}}, {{json .}}, {{if eq .State "running"}}…{{end}}, {{.Label "app"}}, with the functions json, split, join,
title, lower, upper, pad, truncate, printf, println, len, index, eq, ne, lt, gt, and, or, not. Its fields are .ID .Names .Image .Command .CreatedAt
.RunningFor .Ports .State .Status .Size .Labels .Mounts .Networks .Pid .ExitCode.`;
  static override examples = [
    '<%= config.bin %> ps -a',
    { description: 'Only some:', command: '<%= config.bin %> ps -a --filter status=exited --filter name=^web --filter label=app=web' },
    { description: 'In your own words:', command: "<%= config.bin %> ps --format '{{.Names}}: {{.Status}}'" },
    { description: 'In your own columns:', command: "<%= config.bin %> ps --format 'table {{.Names}}\\t{{.Ports}}'" },
  ];
  static override flags = {
    all: boolean({ char: 'a', description: 'also those that do not run' }),
    filter: string({
      char: 'f',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'KEY=VALUE',
      description: 'id, name, label, ancestor, status, exited, before, since, volume, network, publish, expose or health',
    }),
    format: string({ helpValue: 'table [TEMPLATE]|json|TEMPLATE', default: 'table', description: 'a table, a JSON object each, or a template' }),
    last: string({ char: 'n', helpValue: 'N', description: 'the N that were made last, whatever they do' }),
    latest: boolean({ char: 'l', description: 'the one that was made last' }),
    'no-trunc': boolean({ description: 'whole commands' }),
    quiet: boolean({ char: 'q', description: 'ids only' }),
    size: boolean({ char: 's', description: 'with how much each wrote' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Ps);
    const filters = containerFilters(flags.filter, this.storeRoot(flags));
    const print = listFormat(flags.format, CONTAINER_HEADERS);
    const last = flags.latest ? 1 : flags.last === undefined ? -1 : parseInteger(flags.last);
    if (last === undefined) throw new UsageError(`'${flags.last}' is not a number of containers`, 'Write -n 5.');
    const containers = this.containersOf(flags);
    const found = (await filters.apply(await containers.list()))
      .filter(({ status }) => flags.all || last > 0 || filters.ofAll || status === 'running' || status === 'paused' || status === 'restarting')
      .slice(0, last > 0 ? last : undefined);
    // As Docker: what a template asks for is counted.
    const sized = flags.size || /\.Size\b/.test(flags.format);
    const rows = await Promise.all(
      found.map(async (state) => {
        const size = sized ? bytes(await written(await containers.get(state.id))) : '';
        return { row: containerRow(state, flags['no-trunc'], size), labels: labelsOf(state) };
      }),
    );
    const lines = (): Shown[] => {
      if (flags.quiet) return found.map(({ id }) => id);
      if (print)
        return print(rows.map(({ row, labels }) => ({ ...row, Label: (name: unknown) => (Object.hasOwn(labels, String(name)) ? labels[String(name)] : '') })));
      const columns: readonly (keyof ContainerRow)[] = [...COLUMNS, ...(flags.size ? (['Size'] as const) : [])];
      return table(
        columns.map((name) => CONTAINER_HEADERS[name]),
        rows.map(({ row }) => columns.map((name) => row[name] ?? '')),
      );
    };
    this.print(
      flags.json,
      rows.map(({ row }) => row),
      lines(),
    );
  }
}

/** How many bytes are in the files that a container made or changed. */
async function written(container: StoredContainer): Promise<number> {
  let size = 0;
  for await (const { after } of container.changes()) if (after?.type === 'file') size += after.size;
  return size;
}
