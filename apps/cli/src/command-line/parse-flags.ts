import { helpHint, UsageError } from '../errors/usage-error.js';
import type { FlagFacts, FlagTable } from './flag-table.js';
import { parseBool } from './go-values.js';
import { unknownFlag } from './unknown-flag.js';

/** A flag on the command line, with its name in the table. */
interface GivenFlag {
  readonly name: string;
  readonly value: string | boolean;
}

export interface ParsedFlags {
  /** In the order of the command line. */
  readonly flags: readonly GivenFlag[];
  /** The words that are neither flags nor values of flags. */
  readonly words: readonly string[];
  /** Whether --help was found. The words after it were not parsed. */
  readonly help: boolean;
}

export interface Grammar {
  /** The command, such as `run`. */
  readonly command: string;
  /** Whether the first argument ends the flags, as for commands that take another command line. */
  readonly leading?: boolean;
}

/** The commands that take another command line. */
export const LEADING_FLAG_COMMANDS: readonly string[] = ['run', 'create', 'exec', 'try'];

/**
 * Parses a command line as Docker's parser does (spf13/pflag): `--name VALUE`, `--name=VALUE`, `-n VALUE`, `-nVALUE`, `-n=VALUE`,
 * clusters of letters, `--switch=false`. The word after a flag that takes a value is its value, even if it begins with a dash.
 *
 * @throws UsageError
 */
export function parseFlags(argv: readonly string[], known: FlagTable, { command, leading = false }: Grammar): ParsedFlags {
  const { byName, byLetter } = namesOf(known);
  const flags: GivenFlag[] = [];
  let words: string[] = [];
  const hint = helpHint(command);
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] as string;
    const next = (said: string): string => {
      const value = argv[++i];
      if (value === undefined) throw new UsageError(`flag needs an argument: ${said}`, hint);
      return value;
    };
    if (word === '--') {
      words = words.concat(argv.slice(i + 1));
      break;
    }
    if (!word.startsWith('-') || word === '-') {
      if (leading) {
        words = words.concat(argv.slice(i));
        break;
      }
      words.push(word);
      continue;
    }
    if (word.startsWith('--')) {
      const [, said = '', value] = /^--([^=]*)(?:=(.*))?$/s.exec(word) ?? [];
      if (said === '' || said.startsWith('-')) throw new UsageError(`bad flag syntax: ${word}`, hint);
      const found = byName.get(said);
      if (!found && said === 'help') return { flags, words, help: true };
      if (!found) throw unknownFlag(`--${said}`, known, command);
      const { name, facts, opposite } = found;
      if (facts.type !== 'boolean') flags.push({ name, value: value ?? next(`--${said}`) });
      else flags.push({ name, value: (value === undefined || truth(value, `--${said}`, hint)) !== opposite });
      continue;
    }
    for (let letters = word.slice(1); letters; ) {
      const [letter = '', rest] = [letters[0], letters.slice(1)];
      const found = byLetter.get(letter);
      if (!found && letter === 'h') return { flags, words, help: true };
      if (!found) throw unknownFlag(`-${letter}`, known, command, word);
      const { name, facts } = found;
      const given = rest.length > 1 && rest.startsWith('=') ? rest.slice(1) : undefined;
      if (facts.type === 'boolean') {
        flags.push({ name, value: given === undefined || truth(given, `-${letter}`, hint) });
        letters = given === undefined ? rest : '';
      } else {
        flags.push({ name, value: given ?? (rest || next(`-${letter}`)) });
        letters = '';
      }
    }
  }
  return { flags, words, help: false };
}

/** Whether the command line asks for help. An error before --help counts first. */
export function asksForHelp(argv: readonly string[], known: FlagTable, grammar: Grammar): boolean {
  try {
    return parseFlags(argv, known, grammar).help;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

interface Found {
  readonly name: string;
  readonly facts: FlagFacts;
  readonly opposite: boolean;
}

function namesOf(known: FlagTable): { readonly byName: ReadonlyMap<string, Found>; readonly byLetter: ReadonlyMap<string, Found> } {
  const [byName, byLetter] = [new Map<string, Found>(), new Map<string, Found>()];
  for (const [name, facts] of Object.entries(known)) {
    for (const each of [name, ...(facts.aliases ?? [])]) {
      byName.set(each, { name, facts, opposite: false });
      if (facts.allowNo) byName.set(`no-${each}`, { name, facts, opposite: true });
    }
    for (const letter of [facts.char, ...(facts.charAliases ?? [])]) if (letter !== undefined) byLetter.set(letter, { name, facts, opposite: false });
  }
  return { byName, byLetter };
}

function truth(text: string, said: string, hint: string): boolean {
  const value = parseBool(text);
  if (value === undefined) throw new UsageError(`invalid value '${text}' for ${said}: use true or false`, hint);
  return value;
}
