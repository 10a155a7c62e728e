import type { ContainerChange } from '@lamella/engine';
import { boolean } from '@oclif/core/flags';
import { ChangeTally } from '../changes/change-tally.js';
import { changeToJSON } from '../changes/change-to-json.js';
import { describeChange, describeTally, Grouping } from '../changes/describe-change.js';
import { matchesPath } from '../changes/match-path.js';
import { ContainerCommand, noContainer } from '../command-classes/container-command.js';
import { UsageError } from '../errors/usage-error.js';
import { LinesOut } from '../output/lines-out.js';
import { stdout } from '../output/out.js';
import { jsonLine, text } from '../output/printable.js';

export class Apply extends ContainerCommand {
  static override summary = "Apply a container's changes to the host, all or nothing";
  static override description =
    `Applies the changes of lamella try, and of volumes with the option overlay (-v DIR:/inside:overlay). A PATTERN selects changes by their path inside the container; a directory includes everything below it.

If the host has changed the same files since the container started, that is a conflict, and nothing is applied. The replaced files are kept until the next apply to the same directory, and --undo restores them.`;
  static override usage = 'apply [FLAGS] CONTAINER [PATTERN…]';
  static override examples = [
    '<%= config.bin %> apply build --dry-run',
    "<%= config.bin %> apply build '/src/dist'",
    { description: 'Undo the last apply:', command: '<%= config.bin %> apply --undo build' },
  ];
  static override strict = false;
  static override flags = {
    'dry-run': boolean({ char: 'n', description: 'Show what would be applied, and change nothing' }),
    undo: boolean({ description: 'Undo the last apply to each directory', exclusive: ['dry-run', 'ours', 'theirs'] }),
    ours: boolean({ description: "Resolve conflicts with the container's version", exclusive: ['theirs'] }),
    theirs: boolean({ description: "Resolve conflicts with the host's version" }),
    force: boolean({ char: 'f', description: 'Same as --ours; with --undo, move files that changed later aside' }),
  };

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Apply);
    const [reference, ...patterns] = argv as string[];
    if (reference === undefined) throw noContainer();
    if (flags.undo) return this.#undo(reference, flags);
    if (flags.force && flags.theirs) throw new UsageError('--force and --theirs cannot be used together', 'Remove one of them.');
    const container = await this.containersOf(flags).get(reference);
    const chosen = new ChosenPatterns(patterns);
    const { changes, conflicts, left } = await container.apply({
      onConflict: flags.ours || flags.force ? 'ours' : flags.theirs ? 'theirs' : 'fail',
      dryRun: flags['dry-run'],
      ...(patterns.length ? { select: ({ path }: ContainerChange) => chosen.match(path), onSelected: (seen: number) => chosen.check(seen) } : {}),
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
      out.line(text`${describeChange(change)}  not applied: ${met.has(change) ? 'the host changed it too' : 'it depends on a conflict'}`);
    if (!changes.length) out.line('Nothing to apply.');
    else if (flags['dry-run']) out.line(text`Would apply: ${describeTally(tally)}`);
    else out.line(text`Applied: ${describeTally(tally)}. Undo: lamella apply --undo ${reference}`);
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
      text`Restored ${count} ${count === 1 ? 'file' : 'files'}.`,
      ...kept.map(({ path, at }) => text`${path} was changed after the apply: that version is kept in ${at} until the next apply.`),
      ...forgotten.map((source) => text`${source} was not restored: another container was applied to it later.`),
    ]);
  }
}

/** The patterns of a command line, each of which has to match a change: otherwise only a part of what the user wants would be applied. */
class ChosenPatterns {
  readonly #patterns: readonly string[];
  readonly #unmatched: Set<string>;

  constructor(patterns: readonly string[]) {
    this.#patterns = patterns;
    this.#unmatched = new Set(patterns);
  }

  match(path: string): boolean {
    const matching = this.#patterns.filter((pattern) => matchesPath(path, pattern));
    for (const pattern of matching) this.#unmatched.delete(pattern);
    return matching.length > 0;
  }

  /** @throws UsageError if there are changes and a pattern matches none */
  check(changes: number): void {
    const [first] = this.#unmatched;
    if (changes > 0 && first !== undefined)
      throw new UsageError(
        `no change matches '${first}'`,
        "Use absolute paths inside the container, or patterns such as '/src/**/*.js'. List the changes: lamella changes CONTAINER",
      );
  }
}
