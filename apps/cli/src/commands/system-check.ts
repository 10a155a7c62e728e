import { ImageStore } from '@lamella/image';
import { boolean } from '@oclif/core/flags';
import { LamellaCommand } from '../lamella-command.js';
import { OUR_FAILURE } from '../output/exit-status.js';
import { stderr } from '../output/out.js';

export class SystemCheck extends LamellaCommand {
  static override summary = 'Verify every digest and layer of the store.';
  static override flags = { repair: boolean({ description: 'remove what is damaged, and unpack anew what can be' }) };

  async run(): Promise<void> {
    const { flags } = await this.parse(SystemCheck);
    const check = await new ImageStore(this.storeRoot(flags)).check({ repair: flags.repair });
    const lines = check.problems.map(({ kind, what, problem, repaired }) => `${kind} ${what}: ${problem}${repaired ? ` (${repaired})` : ''}`);
    const summary = `${check.blobs} blobs and ${check.layers} layers verified, ${check.problems.length ? `${check.problems.length} problems` : 'all is well'}`;
    this.print(flags.json, check, [...lines, summary]);
    if (check.problems.some(({ repaired }) => !repaired)) {
      if (!flags.json && !flags.repair) stderr.line('Mend what can be: lamella system check --repair');
      process.exitCode = OUR_FAILURE;
    }
  }
}
