import { Command } from '@oclif/core/command';
import { CONTAINER_COMMANDS, IMAGE_COMMANDS } from '../command-line/completion-targets.js';
import { stdout } from '../output/out.js';

export class AutocompleteBash extends Command {
  static override summary = 'Print the completion script for bash';
  static override description = 'Completes commands, flags, files, and names of images and containers. zsh can use it as well: see lamella autocomplete.';
  static override examples = [{ description: 'Add to ~/.bashrc:', command: 'source <(<%= config.bin %> autocomplete bash)' }];

  async run(): Promise<void> {
    await this.parse(AutocompleteBash);
    const { bin } = this.config;
    const commands = this.config.commands.filter(({ hidden }) => !hidden);
    const flags = commands.map(
      ({ id, flags: own }) =>
        `    ${id.split(':')[0]}) flags="${Object.keys(own)
          .map((name) => `--${name}`)
          .join(' ')}" ;;`,
    );
    const script = `# Completion of ${bin} for bash.
_${bin}() {
  local word=\${COMP_WORDS[COMP_CWORD]} command=\${COMP_WORDS[1]} flags= words=
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "${[...new Set(commands.map(({ id }) => id.split(':')[0]))].join(' ')}" -- "$word"))
    return
  fi
  case $command in
${[...new Map(flags.map((line) => [line.split(')')[0], line])).values()].join('\n')}
  esac
  case $command in
    ${CONTAINER_COMMANDS.join('|')}) words=$(${bin} ps -a --format '{{.Names}} {{.ID}}' 2>/dev/null) ;;
    ${IMAGE_COMMANDS.join('|')}) words=$(${bin} images --format '{{.Name}} {{.Name}}:{{.Tag}}' 2>/dev/null) ;;
  esac
  case $word in
    -*) COMPREPLY=($(compgen -W "$flags" -- "$word")) ;;
    *) COMPREPLY=($(compgen -W "$words" -- "$word") $(compgen -f -- "$word")) ;;
  esac
}
complete -o filenames -F _${bin} ${bin}`;
    stdout.lines(script.split('\n'));
  }
}
