import type { ContainerState } from '@lamella/engine';
import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../container/container-command.js';
import { statusWords } from '../container/status-words.js';
import { jsonLine, type Shown } from '../output/printable.js';
import { table } from '../output/table.js';
import { fill } from '../output/template.js';
import { ago } from '../output/units.js';
import { UsageError } from '../usage-error.js';

export class Ps extends ContainerCommand {
  static override summary = 'List containers: those that run, or all.';
  static override examples = [
    '<%= config.bin %> ps -a',
    { description: 'Only some:', command: '<%= config.bin %> ps -a --filter status=exited --filter label=app=web' },
    { description: 'In your own words:', command: "<%= config.bin %> ps --format '{{.Names}}: {{.Status}}'" },
  ];
  static override flags = {
    all: boolean({ char: 'a', description: 'also those that do not run' }),
    filter: string({ char: 'f', multiple: true, multipleNonGreedy: true, helpValue: 'KEY=VALUE', description: 'id, name, label, ancestor, status or exited' }),
    format: string({
      helpValue: 'table|json|TEMPLATE',
      default: 'table',
      description: 'a table, a JSON line each, or a template of .ID .Image .Command .CreatedAt .Status .State .Names .Labels .Pid',
    }),
    last: string({ char: 'n', helpValue: 'N', description: 'the N that were made last, whatever they do' }),
    latest: boolean({ char: 'l', description: 'the one that was made last' }),
    'no-trunc': boolean({ description: 'whole commands' }),
    quiet: boolean({ char: 'q', description: 'ids only' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Ps);
    const tests = (flags.filter ?? []).map(filter);
    const last = flags.latest ? 1 : flags.last === undefined ? undefined : Number(flags.last);
    if (last !== undefined && !(Number.isInteger(last) && last >= 0)) throw new UsageError(`'${flags.last}' is not a number of containers`, 'Write -n 5.');
    const asked = flags.all || last !== undefined || (flags.filter ?? []).some((each) => each.startsWith('status=') || each.startsWith('exited='));
    const found = (await this.containersOf(flags).list())
      .filter((state) => asked || state.status === 'running' || state.status === 'paused' || state.status === 'restarting')
      .filter((state) => tests.every((test) => test(state)))
      .slice(0, last);
    const shown = found.map((state) => row(state, flags['no-trunc']));
    const lines = (): Shown[] => {
      if (flags.quiet) return found.map(({ id }) => id);
      if (flags.format === 'json') return shown.map(jsonLine);
      if (flags.format !== 'table') return shown.map((each) => fill(flags.format.replace(/^table /, ''), each));
      return table(
        ['CONTAINER ID', 'IMAGE', 'COMMAND', 'CREATED', 'STATUS', 'NAMES'],
        shown.map(({ ID, Image, Command, CreatedAt, Status, Names }) => [ID, Image, Command, ago(new Date(CreatedAt)), Status, Names]),
      );
    };
    this.print(flags.json, shown, lines());
  }
}

type Row = Record<'ID' | 'Image' | 'Command' | 'CreatedAt' | 'Status' | 'State' | 'Names' | 'Labels', string> & {
  readonly Pid: number;
  readonly ExitCode: number | null;
};

function row(state: ContainerState, whole: boolean): Row {
  const { config } = state;
  const command = config.args.join(' ').replaceAll('\n', ' ');
  const short = !whole && command.length > 32 ? `${command.slice(0, 31)}…` : command;
  return {
    ID: state.id,
    Image: config.image,
    Command: `"${short}"`,
    CreatedAt: config.created,
    Status: statusWords(state),
    State: state.status,
    Names: state.name ?? '',
    Labels: Object.entries(labelsOf(state))
      .map(([key, value]) => `${key}=${value}`)
      .join(','),
    Pid: state.pid ?? 0,
    ExitCode: state.exitCode ?? null,
  };
}

function labelsOf({ config }: ContainerState): Readonly<Record<string, string>> {
  return { ...config.lowers.config.labels, ...config.spec.labels };
}

/** What `--filter` asks of a container. @throws UsageError */
function filter(text: string): (state: ContainerState) => boolean {
  const equals = text.indexOf('=');
  const [key, value] = [text.slice(0, equals), text.slice(equals + 1)];
  switch (equals < 0 ? '' : key) {
    case 'id':
      return ({ id }) => id.startsWith(value);
    case 'name':
      return ({ name }) => name?.includes(value) ?? false;
    case 'ancestor':
      return ({ config }) => [config.image, config.lowers.digest].includes(value) || config.image.startsWith(`${value}:`);
    case 'status':
      if (!['created', 'running', 'paused', 'restarting', 'exited', 'dead'].includes(value))
        throw new UsageError(`'${value}' is not what a container can do`, 'Known are created, running, paused, restarting, exited and dead.');
      return ({ status }) => status === value;
    case 'exited':
      return ({ exitCode, status }) => status === 'exited' && String(exitCode) === value;
    case 'label': {
      const at = value.indexOf('=');
      const [name, wanted] = at < 0 ? [value, undefined] : [value.slice(0, at), value.slice(at + 1)];
      return (state) => {
        const has = labelsOf(state)[name];
        return has !== undefined && (wanted === undefined || has === wanted);
      };
    }
    default:
      throw new UsageError(`'${text}' is not a filter`, 'Write KEY=VALUE; known are id, name, label, ancestor, status and exited.');
  }
}
