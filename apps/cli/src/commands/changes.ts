import type { ContainerChange, StoredContainer } from '@lamella/engine';
import { boolean, integer } from '@oclif/core/flags';
import { ChangeTally } from '../changes/change-tally.js';
import { changeToJSON } from '../changes/change-to-json.js';
import { describeChange, describeTally, Grouping } from '../changes/describe-change.js';
import { matchesPath } from '../changes/match-path.js';
import { withContents } from '../changes/with-contents.js';
import { ContainerCommand } from '../command-classes/container-command.js';
import { UsageError } from '../errors/usage-error.js';
import { LinesOut } from '../output/lines-out.js';
import { stderr, stdout } from '../output/out.js';
import { jsonLine, type Shown, text } from '../output/printable.js';
import { patchStream } from '../patch/patch-stream.js';
import { SHOWN_LIMIT, showPatch } from '../patch/show-patch.js';

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
    patch: boolean({ char: 'p', description: 'as a patch, for git apply and patch -p1', exclusive: ['stat', 'json'] }),
    binary: boolean({ default: true, allowNo: true, description: "binary files in git's format, with --patch" }),
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
    if (flags.patch) return stdout.isTerminal ? show(container, changes) : patch(container, changes, flags.binary ? 'patch' : 'omit');
    using out = new LinesOut(stdout);
    if (flags.stat) await stat(changes, out, flags.json);
    else if (flags.json) for await (const change of changes) out.line(jsonLine(changeToJSON(change)));
    else await list(changes, out, flags.all);
  }

  async #serve(container: StoredContainer, name: string, port: number): Promise<void> {
    const changes = (): Promise<ContainerChange[]> => Array.fromAsync(container.changes());
    if (!(await changes()).length) return this.print(false, { changes: 0 }, ['Nothing was changed.']);
    const { serveReview } = await import('../web/review-server.js');
    const say = (line: Shown): void => stdout.line(line);
    await using server = await serveReview({ container, name, changes }, port, say);
    say(`Open ${server.url} (it works once). Ctrl-C keeps everything as it is.`);
    await server.decided;
  }
}

async function* matching(changes: AsyncIterable<ContainerChange>, patterns: readonly string[]): AsyncGenerator<ContainerChange> {
  for await (const change of changes) if (!patterns.length || patterns.some((pattern) => matchesPath(change.path, pattern))) yield change;
}

async function stat(changes: AsyncIterable<ContainerChange>, out: LinesOut, json: boolean): Promise<void> {
  const tally = new ChangeTally();
  for await (const change of changes) tally.add(change);
  out.line(json ? jsonLine(tally) : describeTally(tally));
}

async function list(changes: AsyncIterable<ContainerChange>, out: LinesOut, all: boolean): Promise<void> {
  const tally = new ChangeTally();
  const grouping = new Grouping();
  for await (const change of changes) {
    tally.add(change);
    if (all) out.line(describeChange(change));
    else for (const line of grouping.add(change)) out.line(line);
  }
  for (const line of grouping.end()) out.line(line);
  out.line(describeTally(tally));
}

/** To be read: nothing in it reaches the terminal as more than text. */
async function show(container: StoredContainer, changes: AsyncIterable<ContainerChange>): Promise<void> {
  for await (const [change, contents] of withContents(container, changes, SHOWN_LIMIT)) stdout.lines(await showPatch(change, contents));
}

/** To be applied. What has no place in a patch is told on stderr. */
async function patch(container: StoredContainer, changes: AsyncIterable<ContainerChange>, binary: 'patch' | 'omit'): Promise<void> {
  for await (const part of patchStream(container, changes, binary))
    if ('text' in part) stdout.bytes(Buffer.from(part.text, 'latin1'));
    else stderr.line(text`lamella: note: not in the patch: ${part.omitted} of ${part.path}`);
}
