import { historyOf, ImageStore } from '@lamella/image';
import { boolean, string } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { requiredArgument } from '../command-line/arguments.js';
import type { Shown } from '../output/printable.js';
import { table } from '../output/table.js';
import { ago, bytes } from '../output/units.js';
import { type Headers, listFormat } from '../template/fill.js';

const HEADERS = {
  ID: 'LAYER',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  Size: 'SIZE',
  CreatedBy: 'CREATED BY',
  Comment: 'COMMENT',
} as const satisfies Headers;

export class ImageHistory extends LamellaCommand {
  static override summary = 'Show the history of an image';
  static override args = { name: requiredArgument('Name of an image in the store') };
  static override flags = {
    format: string({
      helpValue: 'table [TEMPLATE]|json|TEMPLATE',
      default: 'table',
      description: 'Format output as a table, as JSON, or with a template of .ID .CreatedSince .CreatedAt .Size .CreatedBy .Comment',
    }),
    'no-trunc': boolean({ description: "Don't truncate output" }),
    quiet: boolean({ char: 'q', description: 'Only show layer digests' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(ImageHistory);
    const print = listFormat(flags.format, HEADERS);
    const steps = historyOf(await new ImageStore(this.storeRoot(flags)).describe(args.name));
    const whole = flags['no-trunc'];
    const rows = steps.map(({ created, createdBy, layer, comment }) => ({
      ID: layer ? (whole ? layer.digest : layer.digest.slice(7, 19)) : '',
      CreatedSince: created ? ago(new Date(created)) : '',
      CreatedAt: created ?? '',
      Size: layer ? bytes(layer.size) : '0 B',
      CreatedBy: createdBy,
      Comment: comment ?? '',
    }));
    const lines = (): Shown[] => {
      if (flags.quiet) return rows.map(({ ID }) => ID || '<missing>');
      if (print) return print(rows);
      const madeBy = ({ CreatedBy, Comment }: (typeof rows)[number]): string => {
        const all = [CreatedBy, Comment].filter(Boolean).join('  # ').replace(/\s+/g, ' ');
        return whole ? all : all.slice(0, 100);
      };
      return table(
        [HEADERS.ID, HEADERS.CreatedSince, HEADERS.Size, HEADERS.CreatedBy],
        rows.map((row) => [row.ID, row.CreatedSince, row.Size, madeBy(row)]),
      );
    };
    this.print(flags.json, steps, lines());
  }
}
