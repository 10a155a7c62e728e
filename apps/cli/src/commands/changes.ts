import type { ContainerChange, StoredContainer } from '@lamella/engine';
import { boolean, integer } from '@oclif/core/flags';
import { ChangeTally } from '../changes/change-tally.js';
import { changeToJSON } from '../changes/change-to-json.js';
import { describeChange, describeTally, Grouping } from '../changes/describe-change.js';
import { matches } from '../changes/matches.js';
import { patchOf } from '../changes/patch.js';
import { ContainerCommand } from '../container/container-command.js';
import { LinesOut } from '../output/lines-out.js';
import { UsageError } from '../usage-error.js';

/** Changes whose contents are read at once, for a patch. */
const BATCH = 64;

export class Changes extends ContainerCommand {
  static override summary = 'Show what a container changed: added, modified and deleted, one by one.';
  static override description = `PATTERNs are globs of paths as seen inside: '/etc/**', '**/*.log'. A directory that is new is one line with
its count and size, unless --all is given; what was deleted is never summed up. With --json each change is a
line: {"kind":"added"|"modified"|"deleted","path":…,"type":…,"aspects":[…],"before":{…},"after":{…}}; one that was renamed has "renamedFrom" or "renamedTo", too.`;
  static override usage = 'changes [FLAGS] CONTAINER [PATTERN…]';
  static override aliases = ['diff'];
  static override examples = [
    '<%= config.bin %> changes web',
    "<%= config.bin %> changes web '/etc/**' --patch",
    '<%= config.bin %> changes web --web',
    { description: 'Paths of what is gone:', command: `<%= config.bin %> changes web --json | jq -r 'select(.kind == "deleted").path'` },
  ];
  static override strict = false;
  static override flags = {
    all: boolean({ char: 'a', description: 'each object of a new directory, too' }),
    patch: boolean({ char: 'p', description: 'as a patch: differences of text files', exclusive: ['stat', 'json'] }),
    stat: boolean({ description: 'counts and sizes alone', exclusive: ['patch'] }),
    web: boolean({ description: 'a page on this machine alone: look at each, apply them or throw them away', exclusive: ['all', 'patch', 'stat', 'json'] }),
    port: integer({
      helpValue: 'PORT',
      min: 0,
      max: 65_535,
      default: 0,
      description: 'of 127.0.0.1, for --web (default: any that is free)',
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Changes);
    const [reference, ...patterns] = argv as string[];
    if (reference === undefined) throw new UsageError('no container was named', 'lamella ps -a lists those that are.');
    const container = await this.containersOf(flags).get(reference);
    if (flags.web) {
      if (patterns.length) throw new UsageError('--web shows all changes', 'Go without patterns: the page has a filter.');
      return this.#serve(container, reference, flags.port);
    }
    const changes = matching(container.changes(), patterns);
    await using out = new LinesOut(process.stdout);
    if (flags.stat) await stat(changes, out, flags.json);
    else if (flags.json) for await (const change of changes) await out.line(JSON.stringify(changeToJSON(change)));
    else if (flags.patch) await patch(container, changes, out);
    else await list(changes, out, flags.all);
  }

  async #serve(container: StoredContainer, name: string, port: number): Promise<void> {
    const changes = (): Promise<ContainerChange[]> => Array.fromAsync(container.changes());
    if (!(await changes()).length) return this.print(false, { changes: 0 }, ['Nothing was changed.']);
    const { serveReview } = await import('../web/review-server.js');
    const say = (text: string): void => void process.stdout.write(`${text}\n`);
    await using server = await serveReview({ container, name, changes }, port, say);
    say(`Open ${server.url} (it works once). Ctrl-C keeps everything as it is.`);
    await server.decided;
  }
}

async function* matching(changes: AsyncIterable<ContainerChange>, patterns: readonly string[]): AsyncGenerator<ContainerChange> {
  for await (const change of changes) if (!patterns.length || patterns.some((pattern) => matches(change.path, pattern))) yield change;
}

async function stat(changes: AsyncIterable<ContainerChange>, out: LinesOut, json: boolean): Promise<void> {
  const tally = new ChangeTally();
  for await (const change of changes) tally.add(change);
  await out.line(json ? JSON.stringify(tally) : describeTally(tally));
}

async function list(changes: AsyncIterable<ContainerChange>, out: LinesOut, all: boolean): Promise<void> {
  const tally = new ChangeTally();
  const grouping = new Grouping();
  for await (const change of changes) {
    tally.add(change);
    if (all) await out.line(describeChange(change));
    else for (const line of grouping.add(change)) await out.line(line);
  }
  for (const line of grouping.end()) await out.line(line);
  await out.line(describeTally(tally));
}

async function patch(container: StoredContainer, changes: AsyncIterable<ContainerChange>, out: LinesOut): Promise<void> {
  let batch: ContainerChange[] = [];
  const flush = async (): Promise<void> => {
    const contents = await container.contents(batch);
    for (const [i, change] of batch.entries()) {
      const text = await patchOf(change, contents[i]);
      if (text) await out.line(text);
    }
    batch = [];
  };
  for await (const change of changes) {
    batch.push(change);
    if (batch.length === BATCH) await flush();
  }
  if (batch.length) await flush();
}
