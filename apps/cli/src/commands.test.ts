import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Command } from '@oclif/core/command';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from './commands.js';

/** The verbs with which Docker's summaries begin, and ours. */
const VERBS =
  'Apply Attach Block Check Clean Commit Copy Create Display Download Execute Export Fetch Fork Get Import Inspect Install Kill Link List Load Log Pause Print Push Remove Rename Restart Review Roll Run Save Show Start Stop Unpause Update'.split(
    ' ',
  );
/** Turns that hide the subject or the verb of a sentence. */
const BANNED = /\b(?:who(?:ever)?|whatever|nobody|somebody|of its own|go(?:es)? on|let it|it is found out|what it is|takes? away|called otherwise)\b|, too\b/i;

interface Help {
  readonly description?: string;
  readonly summary?: string;
}

const all = Object.entries(COMMANDS as unknown as Readonly<Record<string, typeof Command>>);

describe.each(all)('%s', (_, command) => {
  test('has a summary as Docker writes them: an imperative, at most 60 characters, without a full stop', () => {
    const summary = command.summary ?? '';
    expect(VERBS).toContain(summary.split(' ')[0]);
    expect(summary.length).toBeLessThanOrEqual(60);
    expect(summary).not.toMatch(/\.$/);
  });

  const flags = Object.entries({ ...command.baseFlags, ...command.flags } as Readonly<Record<string, Help>>);
  test('has help for each flag: capitalised, in one line, without a full stop', () => {
    for (const [name, { description = '' }] of flags) expect.soft(description, name).toMatch(/^[A-Z][^\n]*[^.\n]$/);
  });

  const args = Object.entries(command.args as Readonly<Record<string, Help>>);
  test('has help for each argument', () => {
    for (const [name, { description = '' }] of args) expect.soft(description, name).toMatch(/^[A-Z[][^\n]*[^.\n]$/);
  });

  test('has no banned turns, and paragraphs without line breaks', () => {
    const examples = (command.examples ?? []).map((each) => (typeof each === 'string' ? '' : (each as Help).description)).filter((each) => each);
    for (const text of [command.summary, command.description, ...examples, ...[...flags, ...args].map(([, { description }]) => description)])
      expect.soft(text ?? '').not.toMatch(BANNED);
    // The terminal wraps paragraphs: a line break inside of one would show at another width.
    expect.soft(command.description ?? '').not.toMatch(/[^\n]\n(?![\n-])/);
    for (const each of examples) expect.soft(each).toMatch(/^[A-Z].*:$/);
  });
});

test('topics have a summary of the same form', () => {
  const manifest = JSON.parse(readFileSync(path.join(import.meta.dirname, '../package.json'), 'utf8')) as { oclif: { topics: Record<string, Help> } };
  for (const { description } of Object.values(manifest.oclif.topics)) expect(description).toMatch(/^Manage .*[^.]$/);
});
