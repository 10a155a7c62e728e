import { Command } from '@oclif/core/command';
import { stdout } from '../output/out.js';

export class Autocomplete extends Command {
  static override summary = 'Show how to set up shell completion';
  static override examples = ['<%= config.bin %> autocomplete'];

  async run(): Promise<void> {
    await this.parse(Autocomplete);
    const { bin } = this.config;
    stdout.lines([
      `bash, in ~/.bashrc:  source <(${bin} autocomplete bash)`,
      `zsh, in ~/.zshrc:    autoload -U +X bashcompinit && bashcompinit; source <(${bin} autocomplete bash)`,
      `fish, once:          ${bin} autocomplete fish > ~/.config/fish/completions/${bin}.fish`,
    ]);
  }
}
