import { type ContainerProblem, checkContainers } from '@lamella/engine';
import { ImageStore, type StoreProblem } from '@lamella/image';
import { boolean } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { OUR_FAILURE } from '../output/exit-status.js';
import { stderr } from '../output/out.js';

export class SystemCheck extends LamellaCommand {
  static override summary = 'Check the store for damage';
  static override description =
    `Compares each blob with its digest, the files of each layer with its blob, and the index with its copy, and finds leftovers of killed commands. --repair restores what it can from the blobs, and names the images to pull or load again. It removes no images and no files of containers.`;
  static override examples = [
    '<%= config.bin %> system check --quick',
    '<%= config.bin %> system check --repair',
    { description: 'Remove images that cannot be repaired:', command: '<%= config.bin %> system check --force' },
  ];
  static override flags = {
    quick: boolean({ char: 'q', description: 'Only check files that were touched since they were unpacked or downloaded' }),
    repair: boolean({ char: 'r', description: 'Repair what can be repaired' }),
    force: boolean({ char: 'f', description: 'Repair, and remove damaged images that no container uses' }),
  };

  async run(): Promise<void> {
    const { flags } = await this.parse(SystemCheck);
    const root = this.storeRoot(flags);
    const repair = flags.repair || flags.force;
    const found = await new ImageStore(root).check({ quick: flags.quick, repair, force: flags.force });
    const check = { ...found, problems: [...found.problems, ...(await checkContainers(root, { repair }))] };
    const open = check.problems.filter(({ repaired }) => repaired === undefined);
    const count = check.problems.length === 1 ? '1 problem' : `${check.problems.length} problems`;
    const summary = `${check.blobs} blobs and ${check.layers} layers checked: ${check.problems.length ? `${count}, ${check.problems.length - open.length} repaired` : 'no problems'}`;
    this.print(flags.json, check, [...check.problems.map(lineOf), summary]);
    if (!open.length) return;
    process.exitCode = OUR_FAILURE;
    if (flags.json) return;
    if (!flags.repair && !flags.force) stderr.line('Repair the store: lamella system check --repair');
    else for (const hint of new Set(open.flatMap((each) => each.hint ?? []))) stderr.line(hint);
  }
}

function lineOf(found: StoreProblem | ContainerProblem): string {
  const { kind, what, problem, repaired } = found;
  const differences = 'differences' in found ? found.differences : undefined;
  const files = differences ? differences.first.map((each) => `${each.path} ${each.what}`) : [];
  const more = differences ? differences.count - differences.first.length : 0;
  const told = files.length ? `: ${files.join('; ')}${more ? `; and ${more} more` : ''}` : '';
  return `${kind} ${what}: ${problem}${told}${repaired ? ` (${repaired})` : ''}`;
}
