import { Command } from '@oclif/core/command';
import { CONTAINER_COMMANDS, IMAGE_COMMANDS } from '../command-line/completion-targets.js';
import { stdout } from '../output/out.js';

/** The properties of a flag that the script needs. */
interface FlagFacts {
  readonly char?: string;
  readonly description?: string;
  readonly type: string;
  readonly hidden?: boolean;
  readonly options?: readonly string[];
}

export class AutocompleteFish extends Command {
  static override summary = 'Print the completion script for fish';
  static override description = 'Completes commands, flags, files, and names of images and containers.';
  static override examples = [
    { description: 'Install it once:', command: '<%= config.bin %> autocomplete fish > ~/.config/fish/completions/<%= config.bin %>.fish' },
  ];

  async run(): Promise<void> {
    await this.parse(AutocompleteFish);
    const { bin } = this.config;
    const lines = [`# Completion of ${bin} for fish.`, `complete -c ${bin} -f -n __fish_use_subcommand`];
    for (const command of this.config.commands.filter(({ hidden }) => !hidden)) {
      const [name = ''] = command.id.split(':');
      lines.push(`complete -c ${bin} -n __fish_use_subcommand -a ${name} -d ${quote(command.summary ?? '')}`);
      for (const [flag, facts] of Object.entries(command.flags as Readonly<Record<string, FlagFacts>>)) {
        if (facts.hidden) continue;
        const short = facts.char ? ` -s ${facts.char}` : '';
        const value = facts.type === 'option' ? ` -r${facts.options ? ` -f -a ${quote(facts.options.join(' '))}` : ''}` : '';
        lines.push(`complete -c ${bin} -n '__fish_seen_subcommand_from ${name}' -l ${flag}${short}${value} -d ${quote(facts.description ?? '')}`);
      }
    }
    const images = `(${bin} images 2>/dev/null | string match -rv '^NAME ' | string replace -r '^(\\S+) +(\\S+).*' '$1:$2')`;
    lines.push(`complete -c ${bin} -n '__fish_seen_subcommand_from ${IMAGE_COMMANDS.join(' ')}' -a ${quote(images)}`);
    const containers = `(${bin} ps -a --format '{{.Names}} {{.ID}}' 2>/dev/null | string split -n ' ')`;
    lines.push(`complete -c ${bin} -f -n '__fish_seen_subcommand_from ${CONTAINER_COMMANDS.join(' ')}' -a ${quote(containers)}`);
    stdout.lines(lines);
  }
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
