import { examine } from '@lamella/engine';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { OUR_FAILURE } from '../output/exit-status.js';
import { table } from '../output/table.js';

export class Doctor extends LamellaCommand {
  static override summary = 'Check what this machine supports';
  static override examples = ['<%= config.bin %> doctor', { description: 'Print JSON:', command: '<%= config.bin %> doctor --json' }];

  async run(): Promise<void> {
    const { flags } = await this.parse(Doctor);
    const findings = await examine(this.storeRoot(flags));
    const mark = { ok: 'ok', missing: 'missing', broken: 'BROKEN' } as const;
    const rows = findings.map(({ subject, state, detail }) => [subject, mark[state], detail]);
    const remedies = findings
      .filter((each) => each.remedy)
      .map(({ subject, consequence, remedy }) => `${subject}: ${consequence ?? ''} ${remedy ?? ''}`.trim());
    this.print(flags.json, findings, [...table(['CHECK', 'STATE', 'DETAILS'], rows), ...(remedies.length ? ['', ...remedies] : [])]);
    if (findings.some((each) => each.state === 'broken')) process.exitCode = OUR_FAILURE;
  }
}
