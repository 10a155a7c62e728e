import { string } from '@oclif/core/flags';
import { ContainerCommand } from '../container/container-command.js';
import { moment } from '../container/moment.js';
import { UsageError } from '../usage-error.js';

export class Events extends ContainerCommand {
  static override summary = 'Tell what happens to containers, as it happens.';
  static override examples = [
    '<%= config.bin %> events',
    { description: 'What happened in the last hour:', command: '<%= config.bin %> events --since 1h --until 0s' },
  ];
  static override flags = {
    since: string({ helpValue: 'TIME', description: 'also what happened since then' }),
    until: string({ helpValue: 'TIME', description: 'until then, else for ever' }),
    filter: string({ char: 'f', multiple: true, multipleNonGreedy: true, helpValue: 'KEY=VALUE', description: 'container, event or image' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(Events);
    const wanted = (flags.filter ?? []).map((text) => {
      const [, key, value = ''] = /^(container|event|image)=(.*)$/.exec(text) ?? [];
      if (key === undefined) throw new UsageError(`'${text}' is not a filter`, 'Write KEY=VALUE; known are container, event and image.');
      return { key, value };
    });
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    process.once('SIGTERM', () => abort.abort());
    const events = this.containersOf(flags).events({
      signal: abort.signal,
      ...(flags.since === undefined ? {} : { since: moment(flags.since) }),
      ...(flags.until === undefined ? {} : { until: moment(flags.until) }),
    });
    for await (const { time, event, id, name, image, status } of events) {
      const fields: Record<string, readonly (string | undefined)[]> = { container: [id, name], event: [event], image: [image] };
      // Several of one kind are alternatives.
      if (
        !Object.entries(fields).every(
          ([key, values]) => !wanted.some((each) => each.key === key) || wanted.some((each) => each.key === key && values.includes(each.value)),
        )
      )
        continue;
      const about = [`image=${image}`, ...(name === undefined ? [] : [`name=${name}`]), ...(status === undefined ? [] : [`exitCode=${status}`])];
      this.print(flags.json, { time: time.toISOString(), event, id, name, image, exitCode: status }, [
        `${time.toISOString()} container ${event} ${id} (${about.join(', ')})`,
      ]);
    }
  }
}
