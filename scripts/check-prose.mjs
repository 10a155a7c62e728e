#!/usr/bin/env node
/**
 * Checks the English that people read: Markdown, the help of the CLI, comments, error messages and hints.
 *
 *   node scripts/check-prose.mjs              all files of the repository
 *   node scripts/check-prose.mjs PATH…        these files and directories only
 *   node scripts/check-prose.mjs --stdin NAME   text from stdin, as if a file of this name contained it
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { TextlintKernel } from '@textlint/kernel';
import markdown from '@textlint/textlint-plugin-markdown';
import plainText from '@textlint/textlint-plugin-text';
import { main as markdownlint } from 'markdownlint-cli2';
import plainEnglish from './prose/plain-english.mjs';
import { textsOfSource } from './prose/texts-of-source.mjs';

const root = path.join(import.meta.dirname, '..');
const MANIFEST = 'apps/cli/oclif.manifest.json';

const [first, stdinName] = process.argv.slice(2);
const fromStdin = first === '--stdin' ? (stdinName ?? 'stdin.md') : undefined;
const asked = process.argv.slice(2).map((each) => path.relative(root, path.resolve(each)));
const tracked = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => existsSync(path.join(root, file)));
const isBelow = (file, places) => places.some((each) => each === '' || file === each || file.startsWith(`${each}/`));
const isAsked = (file) => !asked.length || isBelow(file, asked);
const files = tracked.filter((file) => isAsked(file) && /\.(?:md|ts|mjs|cjs|c|h)$/.test(file) && !/(?:^|\/)(?:CHANGELOG|LICENSE)/.test(file));

const kernel = new TextlintKernel();
const RULES = [{ ruleId: 'plain-english', rule: plainEnglish }];

async function lint(text, ext, plugins) {
  const { messages } = await kernel.lintText(text, { ext, plugins, rules: RULES });
  return messages.map(({ index, message }) => ({ index, message }));
}
/** What a test writes into a document stands between two comments, and is data. */
const withoutGenerated = (text) => text.replace(/<!-- (\w+): begin -->[\s\S]*?<!-- \1: end -->/g, (whole) => whole.replace(/[^\n]/g, ' '));
const lintMarkdown = (text) => lint(withoutGenerated(text), '.md', [{ pluginId: 'markdown', plugin: markdown.default ?? markdown }]);
const lintText = (text) => lint(text, '.txt', [{ pluginId: 'text', plugin: plainText.default ?? plainText }]);

let count = 0;
function tell(file, text, index, message) {
  const before = text.slice(0, index);
  console.log(`${file}:${before.split('\n').length}:${index - before.lastIndexOf('\n')} ${message}`);
  count++;
}

for (const file of fromStdin ? [fromStdin] : files) {
  const text = readFileSync(fromStdin ? 0 : path.join(root, file), 'utf8');
  if (file.endsWith('.md')) for (const { index, message } of await lintMarkdown(text)) tell(file, text, index, message);
  else for (const each of textsOfSource(file, text)) for (const { index, message } of await lintText(each.text)) tell(file, text, each.offset + index, message);
}

/** The texts of the CLI's help, with the command and flag that each belongs to. */
function* textsOfHelp({ commands }) {
  for (const [id, { summary, description, flags, args, examples }] of Object.entries(commands)) {
    if (summary) yield [id, summary];
    if (description) yield [id, description];
    for (const [name, flag] of Object.entries(flags ?? {})) for (const each of [flag.summary, flag.description]) if (each) yield [`${id} --${name}`, each];
    for (const [name, arg] of Object.entries(args ?? {})) if (arg.description) yield [`${id} ${name}`, arg.description];
    for (const example of examples ?? []) if (example.description) yield [`${id}, an example`, example.description];
  }
}

if (isAsked(MANIFEST) && existsSync(path.join(root, MANIFEST)))
  for (const [where, text] of textsOfHelp(JSON.parse(readFileSync(path.join(root, MANIFEST), 'utf8'))))
    for (const { message } of await lintText(text)) {
      console.log(`help of ${where}: ${message}`);
      count++;
    }

const documents = files.filter((file) => file.endsWith('.md'));
const wrapped = documents.length ? await markdownlint({ directory: root, argv: documents, logMessage: () => {}, logError: console.log, noGlobs: true }) : 0;

if (count) console.error(`${count} places are hard to read. CONTRIBUTING.md, "Writing", has the rules.`);
process.exit(count || wrapped ? 1 : 0);
