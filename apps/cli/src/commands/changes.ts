import type { ContainerChange, StoredContainer } from '@lamella/engine';
import { boolean, integer } from '@oclif/core/flags';
import { ChangeTally } from '../changes/change-tally.js';
import { changeToJSON } from '../changes/change-to-json.js';
import { describeChange, describeTally, Grouping } from '../changes/describe-change.js';
import { matchesPath } from '../changes/match-path.js';
import { withContents } from '../changes/with-contents.js';
import { ContainerCommand, noContainer } from '../command-classes/container-command.js';
import { UsageError } from '../errors/usage-error.js';
import { LinesOut } from '../output/lines-out.js';
import { stderr, stdout } from '../output/out.js';
import { jsonLine, type Shown, text } from '../output/printable.js';
import { patchStream } from '../patch/patch-stream.js';
import { SHOWN_LIMIT, showPatch } from '../patch/show-patch.js';

export class Changes extends ContainerCommand {
  static override summary = "Inspect changes to files on a container's filesystem";
  static override description =
    `Lists added (A), modified (M) and deleted (D) files. PATTERNs are globs of paths inside the container: '/etc/**', '**/*.log'. A new directory is one line with the number and size of its files, unless --all is given.

With --json each change is one line: {"kind":"added"|"modified"|"deleted","path":…,"type":…,"aspects":[…],"before":{…},"after":{…}}. A renamed file also has "renamedFrom" or "renamedTo".`;
  static override usage = 'changes [FLAGS] CONTAINER [PATTERN…]';
  static override aliases = ['diff'];
  static override examples = [
    '<%= config.bin %> changes web',
    "<%= config.bin %> changes web '/etc/**' --patch",
    '<%= config.bin %> changes web --web',
    { description: 'List the paths of deleted files:', command: `<%= config.bin %> changes web --json | jq -r 'select(.kind == "deleted").path'` },
  ];
  static override strict = false;
  static override flags = {
    all: boolean({ char: 'a', description: 'Show every file of a new directory' }),
    patch: boolean({ char: 'p', description: 'Print a patch for git apply and patch -p1', exclusive: ['stat', 'json'] }),
    binary: boolean({ default: true, allowNo: true, description: 'Include binary files in the patch, in the format of git' }),
    stat: boolean({ description: 'Only show the number and size of changes', exclusive: ['patch'] }),
    web: boolean({ description: 'Review the changes in a browser, on a local page', exclusive: ['all', 'patch', 'stat', 'json'] }),
    port: integer({
      helpValue: 'PORT',
      min: 0,
      max: 65_535,
      default: 0,
      description: 'Port on 127.0.0.1 for --web (0: any free port)',
    }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Changes);
    const [reference, ...patterns] = argv as string[];
    if (reference === undefined) throw noContainer();
    const container = await this.containersOf(flags).get(reference);
    if (flags.web) {
      if (patterns.length) throw new UsageError('--web cannot be used with patterns', 'Use the filter on the page.');
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
    if (!(await changes()).length) return this.print(false, { changes: 0 }, ['No changes.']);
    const { serveReview } = await import('../web/review-server.js');
    const say = (line: Shown): void => stdout.line(line);
    await using server = await serveReview({ container, name, changes }, port, say);
    say(`Open ${server.url} (this address works once). Ctrl-C keeps the changes.`);
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

/** Prints a patch for people. Control characters are escaped. */
async function show(container: StoredContainer, changes: AsyncIterable<ContainerChange>): Promise<void> {
  for await (const [change, contents] of withContents(container, changes, SHOWN_LIMIT)) stdout.lines(await showPatch(change, contents));
}

/** Prints a patch for programs. Changes that a patch cannot express are noted on stderr. */
async function patch(container: StoredContainer, changes: AsyncIterable<ContainerChange>, binary: 'patch' | 'omit'): Promise<void> {
  for await (const part of patchStream(container, changes, binary))
    if ('text' in part) stdout.bytes(Buffer.from(part.text, 'latin1'));
    else stderr.line(text`lamella: note: ${part.path}: not in the patch: ${part.omitted}`);
}
