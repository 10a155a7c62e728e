import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { filtersOf } from '../command-line/filters.js';
import { parseTime } from '../command-line/parse-time.js';
import { knownStatusOf } from '../output/exit-status.js';
import { stdout } from '../output/out.js';
import { type Headers, listFormat } from '../template/fill.js';

const HEADERS: Headers = Object.fromEntries(
  ['Type', 'Action', 'Status', 'ID', 'From', 'Scope', 'Actor', 'Time', 'TimeNano'].map((name) => [name, name.toUpperCase()]),
);

export class Events extends ContainerCommand {
  static override summary = 'Get real time events from containers';
  static override examples = [
    '<%= config.bin %> events',
    { description: 'Show the events of the last hour:', command: '<%= config.bin %> events --since 1h --until 0s' },
  ];
  static override flags = {
    since: string({ helpValue: 'TIME', description: 'Show all events created since timestamp' }),
    until: string({ helpValue: 'TIME', description: 'Stream events until this timestamp' }),
    filter: string({
      char: 'f',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'KEY=VALUE',
      description: 'Filter output by container, event, image or type',
    }),
    format: string({ helpValue: 'json|TEMPLATE', description: 'Format output as JSON or with a template of .Type .Action .ID .From .Actor .Time .TimeNano' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Events);
    const filters = filtersOf(flags.filter, ['container', 'event', 'image', 'type']);
    const print = flags.format === undefined ? undefined : listFormat(flags.format, HEADERS);
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    process.once('SIGTERM', () => abort.abort());
    const events = this.containersOf(flags).events({
      signal: abort.signal,
      ...(flags.since === undefined ? {} : { since: parseTime(flags.since) }),
      ...(flags.until === undefined ? {} : { until: parseTime(flags.until) }),
    });
    for await (const { time, event, id, name, image, ...end } of events) {
      const status = knownStatusOf(end);
      const told = { container: [id, name], event: [event], image: [image, image?.replace(/:[^/:]*$/, '')], type: ['container'] };
      const fits = Object.entries(told).every(([key, values]) => filters.get(key)?.some((each) => isOf(key, values, each)) ?? true);
      if (!fits) continue;
      const about = [`image=${image}`, ...(name === undefined ? [] : [`name=${name}`]), ...(status === undefined ? [] : [`exitCode=${status}`])];
      if (print && !flags.json) {
        const attributes = new Map(about.map((each) => each.split(/=(.*)/s) as [string, string]));
        const common = { Type: 'container', Action: event, Status: event, ID: id, From: image ?? '', Scope: 'local' };
        stdout.lines(
          print([{ ...common, Actor: { ID: id, Attributes: attributes }, Time: Math.floor(time.getTime() / 1000), TimeNano: time.getTime() * 1e6 }]),
        );
      } else
        this.print(flags.json, { time: time.toISOString(), event, id, name, image, exitCode: status }, [
          `${time.toISOString()} container ${event} ${id} (${about.join(', ')})`,
        ]);
    }
  }
}

/** Whether an event has a value. As with Docker a container matches by its name or a prefix of its id. */
function isOf(key: string, values: readonly (string | undefined)[], wanted: string): boolean {
  return values.includes(wanted) || (key === 'container' && wanted !== '' && (values[0]?.startsWith(wanted) ?? false));
}
