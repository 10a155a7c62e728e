import { boolean, string } from '@oclif/core/flags';
import { ContainerCommand } from '../command-classes/container-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import { parseInteger } from '../command-line/go-values.js';
import { parseTime } from '../command-line/parse-time.js';
import { UsageError } from '../errors/usage-error.js';
import { DataOut } from '../output/data-out.js';
import { stderr, stdout } from '../output/out.js';
import { jsonLine } from '../output/printable.js';

export class Logs extends ContainerCommand {
  static override summary = 'Fetch the logs of a container';
  static override examples = [
    '<%= config.bin %> logs web',
    { description: 'Show the last 20 lines, and follow:', command: '<%= config.bin %> logs -f --tail 20 web' },
  ];
  static override args = { container: requiredArgument('Name or ID of the container') };
  static override flags = {
    follow: boolean({ char: 'f', description: 'Follow log output' }),
    since: string({ helpValue: 'TIME', description: 'Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m" for 42 minutes)' }),
    until: string({ helpValue: 'TIME', description: 'Show logs before a timestamp or relative time' }),
    tail: string({ char: 'n', helpValue: 'N|all', default: 'all', description: 'Number of lines to show from the end of the logs' }),
    timestamps: boolean({ char: 't', description: 'Show timestamps' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logs);
    const tail = flags.tail === 'all' ? -1 : parseInteger(flags.tail);
    if (tail === undefined) throw new UsageError(`invalid value '${flags.tail}' for --tail`, 'Use a number such as --tail 20, or all.');
    const container = await this.containersOf(flags).get(args.container);
    if (!container.hasLog && (await container.state()).status !== 'created')
      stderr.line(`lamella: note: ${args.container} has no log, because it ran in the foreground. Containers of run -d and start have one.`);
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    process.once('SIGTERM', () => abort.abort());
    const logs = container.logs({
      follow: flags.follow,
      signal: abort.signal,
      ...(flags.since === undefined ? {} : { since: parseTime(flags.since) }),
      ...(flags.until === undefined ? {} : { until: parseTime(flags.until) }),
      // As with Docker a negative number means all lines.
      ...(tail < 0 ? {} : { tail }),
    });
    await using out = new DataOut(stdout.stream());
    // A closed stderr must not stop the output on stdout.
    await using errors = new DataOut(stderr.stream(), { lossy: true });
    const outputs = { stdout: out, stderr: errors };
    const begins = { stdout: true, stderr: true };
    for await (const { timestamp, stream, content } of logs) {
      if (flags.json) await out.write(`${jsonLine({ time: timestamp, stream, content: content.toString('utf8') })}\n`);
      else if (flags.timestamps && begins[stream]) await outputs[stream].write(Buffer.concat([Buffer.from(`${timestamp} `), content]));
      else await outputs[stream].write(content);
      begins[stream] = content.at(-1) === 10;
    }
  }
}
