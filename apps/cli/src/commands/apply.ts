import type { ContainerChange, StoredContainer } from '@lamella/engine';
import { boolean } from '@oclif/core/flags';
import { ChangeTally } from '../changes/change-tally.js';
import { changeToJSON } from '../changes/change-to-json.js';
import { describeChange, describeTally, Grouping } from '../changes/describe-change.js';
import { matchesPath } from '../changes/match-path.js';
import { ContainerCommand } from '../command-classes/container-command.js';
import { UsageError } from '../errors/usage-error.js';
import { LinesOut } from '../output/lines-out.js';
import { stdout } from '../output/out.js';
import { jsonLine, text } from '../output/printable.js';

export class Apply extends ContainerCommand {
  static override summary = 'Do to the host what a container did in its view of it: all, or nothing.';
  static override description = `For containers with -v DIR:/inside:overlay, and for lamella try. PATTERNs choose by path as seen inside; with a
directory comes all that is in it. What the host itself has changed since the container began is a
conflict, and nothing is applied. What was there before is kept until the next apply to the same directory: --undo
brings it back, unless something of what was applied has changed since. What --undo removes is kept as long.`;
  static override usage = 'apply [FLAGS] CONTAINER [PATTERN…]';
  static override examples = [
    '<%= config.bin %> apply build --dry-run',
    "<%= config.bin %> apply build '/src/dist'",
    { description: 'And back:', command: '<%= config.bin %> apply --undo build' },
  ];
  static override strict = false;
  static override flags = {
    'dry-run': boolean({ char: 'n', description: 'show what would be done' }),
    undo: boolean({ description: 'take back the last apply to each directory', exclusive: ['dry-run', 'ours', 'theirs'] }),
    ours: boolean({ description: 'where both changed something, the container wins', exclusive: ['theirs'] }),
    theirs: boolean({ description: 'where both changed something, the host keeps what it has' }),
    force: boolean({ char: 'f', description: 'as --ours; with --undo, move later changes aside and say where' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Apply);
    const [reference, ...patterns] = argv as string[];
    if (reference === undefined) throw new UsageError('no container was named', 'lamella ps -a lists those that are.');
    if (flags.undo) return this.#undo(reference, flags);
    if (flags.force && flags.theirs) throw new UsageError('--force and --theirs contradict each other', 'Give one of them.');
    const container = await this.containersOf(flags).get(reference);
    if (patterns.length) await checkPatterns(container, patterns);
    const { changes, conflicts, left } = await container.apply({
      onConflict: flags.ours || flags.force ? 'ours' : flags.theirs ? 'theirs' : 'fail',
      dryRun: flags['dry-run'],
      ...(patterns.length ? { select: (change: ContainerChange) => patterns.some((pattern) => matchesPath(change.path, pattern)) } : {}),
    });
    using out = new LinesOut(stdout);
    const met = new Set(conflicts);
    if (flags.json) {
      for (const change of changes) out.line(jsonLine({ ...changeToJSON(change), ...(met.has(change) ? { conflict: true } : {}) }));
      for (const change of left) out.line(jsonLine({ ...changeToJSON(change), left: true, ...(met.has(change) ? { conflict: true } : {}) }));
      return;
    }
    const tally = new ChangeTally();
    const grouping = new Grouping();
    for (const change of changes) {
      tally.add(change);
      for (const line of grouping.add(change)) out.line(line);
    }
    for (const line of grouping.end()) out.line(line);
    for (const change of left)
      out.line(text`${describeChange(change)}  left: ${met.has(change) ? 'the host changed it, too' : 'it depends on what the host changed'}`);
    if (!changes.length) out.line('There is nothing to apply.');
    else if (flags['dry-run']) out.line(text`Would be applied: ${describeTally(tally)}`);
    else out.line(text`Applied: ${describeTally(tally)}. To take it back: lamella apply --undo ${reference}`);
  }

  async #undo(reference: string, flags: { root?: string | undefined; force: boolean; json?: boolean }): Promise<void> {
    const kept: { readonly path: string; readonly at: string }[] = [];
    const forgotten: string[] = [];
    const count = await this.containersOf(flags).undoApply(reference, {
      force: flags.force,
      onKept: (each) => void kept.push(each),
      onForgotten: (source) => void forgotten.push(source),
    });
    this.print(flags.json, { container: reference, restored: count, kept, forgotten }, [
      text`Taken back: ${count} ${count === 1 ? 'object is' : 'objects are'} again what ${count === 1 ? 'it was' : 'they were'}.`,
      ...kept.map(({ path, at }) => text`${path} had changed since: it is kept in ${at} until the next apply.`),
      ...forgotten.map((source) => text`${source} stays as it is: another container was applied to it since.`),
    ]);
  }
}

/** A pattern that chooses nothing is a slip, and half of what was meant would be applied. @throws UsageError */
async function checkPatterns(container: StoredContainer, patterns: readonly string[]): Promise<void> {
  const idle = new Set(patterns);
  let isChanged = false;
  for await (const { path } of container.changes()) {
    isChanged = true;
    for (const pattern of idle) if (matchesPath(path, pattern)) idle.delete(pattern);
    if (!idle.size) return;
  }
  const [slip] = idle;
  if (isChanged && slip !== undefined)
    throw new UsageError(
      `there is no change at ${slip}, or it is applied already`,
      "Write absolute paths as seen inside, or patterns such as '/src/**/*.js'. lamella changes lists what is not applied yet.",
    );
}
