import { readFileSync } from 'node:fs';
import path from 'node:path';

/** Text in a table, and outside of it: what Markdown or Vue would take for their own is escaped. */
const plain = (text) => text.replaceAll('<%= config.bin %>', 'lamella').replace(/[<>{}]/g, (each) => `&#${each.charCodeAt(0)};`);
const cell = (text) =>
  plain(text)
    .replaceAll('|', '\\|')
    .replace(/\s*\n\s*/g, ' ');

/** Returns a page for each command and one that lists them. @param {string} root absolute path of the checkout, which is built */
export function cliReference(root) {
  const { commands } = JSON.parse(readFileSync(path.join(root, 'apps/cli/oclif.manifest.json'), 'utf8'));
  const shown = Object.values(commands).filter(({ hidden }) => !hidden);
  const nameOf = ({ id }) => id.replaceAll(':', ' ');
  const fileOf = ({ id }) => id.replaceAll(':', '-');
  const list = shown.map((each) => `| [\`${nameOf(each)}\`](${fileOf(each)}.md) | ${cell(each.summary ?? '')} |`);
  const pages = Object.fromEntries(shown.map((each) => [`cli/${fileOf(each)}.md`, pageOf(each, nameOf(each))]));
  return { 'cli/README.md': `# Commands\n\n| command | what it does |\n| --- | --- |\n${list.join('\n')}\n`, ...pages };
}

function pageOf({ summary = '', description, usage, args = {}, flags = {}, examples = [], aliases = [] }, name) {
  const usages = [usage ?? `${name} [FLAGS] ${Object.keys(args).join(' ')}`].flat().map((each) => `lamella ${each}`.replaceAll('<%= command.id %>', name));
  const rows = (entries) => entries.map(([first, second]) => `| ${first} | ${cell(second ?? '')} |`).join('\n');
  const argument = Object.entries(args).map(([key, { description: what, required }]) => [`\`${key.toUpperCase()}\`${required ? '' : ' (optional)'}`, what]);
  const flag = Object.values(flags)
    .filter(({ hidden }) => !hidden)
    .map((each) => [
      [
        each.char && `\`-${each.char}\``,
        `\`--${each.allowNo ? '[no-]' : ''}${each.name}${each.type === 'option' ? ` ${each.helpValue ?? each.name.toUpperCase()}` : ''}\``,
      ]
        .filter(Boolean)
        .join(', ')
        .replaceAll('|', '\\|'),
      each.description ?? each.summary,
    ]);
  return [
    `# \`lamella ${name}\``,
    `${plain(summary)}`,
    `\`\`\`sh\n${usages.join('\n')}\n\`\`\``,
    aliases.length ? `Also: ${aliases.map((each) => `\`lamella ${each.replaceAll(':', ' ')}\``).join(', ')}` : '',
    description ? plain(description) : '',
    argument.length ? `## Arguments\n\n| argument | meaning |\n| --- | --- |\n${rows(argument)}` : '',
    flag.length ? `## Flags\n\n| flag | meaning |\n| --- | --- |\n${rows(flag)}` : '',
    examples.length ? `## Examples\n\n${examples.map(exampleOf).join('\n\n')}` : '',
  ]
    .filter(Boolean)
    .join('\n\n')
    .concat('\n');
}

function exampleOf(example) {
  const { description, command } = typeof example === 'string' ? { command: example } : example;
  return `${description ? `${plain(description)}\n\n` : ''}\`\`\`sh\n${command.replaceAll('<%= config.bin %>', 'lamella').replaceAll('<%= command.id %>', '')}\n\`\`\``;
}
