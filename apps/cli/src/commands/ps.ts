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
  static override summary = 'List containers';
  static override description =
    `The filters id and name are regular expressions. A container must match one value of each key, and all labels. The filters status, exited, before and since include stopped containers.

--format takes a Go template: {{.Names}}, {{json .}}, {{if eq .State "running"}}…{{end}}, {{.Label "app"}}. Functions: json, split, join, title, lower, upper, pad, truncate, printf, println, len, index, eq, ne, lt, gt, and, or, not. Fields: .ID .Names .Image .Command .CreatedAt .RunningFor .Ports .State .Status .Size .Labels .Mounts .Networks .Pid .ExitCode.`;
  static override examples = [
    '<%= config.bin %> ps -a',
    { description: 'Filter:', command: '<%= config.bin %> ps -a --filter status=exited --filter name=^web --filter label=app=web' },
    { description: 'Use a template:', command: "<%= config.bin %> ps --format '{{.Names}}: {{.Status}}'" },
    { description: 'Choose the columns:', command: "<%= config.bin %> ps --format 'table {{.Names}}\\t{{.Ports}}'" },
  ];
  static override flags = {
    all: boolean({ char: 'a', description: 'Show all containers (default shows just running)' }),
    filter: string({
      char: 'f',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'KEY=VALUE',
      description: 'Filter output by id, name, label, ancestor, status, exited, before, since, volume, network, publish, expose or health',
    }),
    format: string({ helpValue: 'table [TEMPLATE]|json|TEMPLATE', default: 'table', description: 'Format output as a table, as JSON, or with a template' }),
    last: string({ char: 'n', helpValue: 'N', description: 'Show n last created containers (includes all states)' }),
    latest: boolean({ char: 'l', description: 'Show the latest created container (includes all states)' }),
    'no-trunc': boolean({ description: "Don't truncate output" }),
    quiet: boolean({ char: 'q', description: 'Only display container IDs' }),
    size: boolean({ char: 's', description: 'Display total file sizes' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Ps);
    const filters = containerFilters(flags.filter, this.storeRoot(flags));
    const print = listFormat(flags.format, CONTAINER_HEADERS);
    const last = flags.latest ? 1 : flags.last === undefined ? -1 : parseInteger(flags.last);
    if (last === undefined) throw new UsageError(`invalid value '${flags.last}' for --last`, 'Use a number, such as -n 5.');
    const containers = this.containersOf(flags);
    const found = (await filters.apply(await containers.list()))
      .filter(({ status }) => flags.all || last > 0 || filters.ofAll || status === 'running' || status === 'paused' || status === 'restarting')
      .slice(0, last > 0 ? last : undefined);
    // As with Docker the size is also computed if the template uses it.
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

/** Returns the bytes of the files that a container added or modified. */
async function written(container: StoredContainer): Promise<number> {
  let size = 0;
  for await (const { after } of container.changes()) if (after?.type === 'file') size += after.size;
  return size;
}
