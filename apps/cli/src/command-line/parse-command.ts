import { helpHint, UsageError } from '../errors/usage-error.js';
import { dockerValue } from './docker-flags.js';
import type { FlagFacts, FlagTable } from './flag-table.js';
import { type Grammar, parseFlags } from './parse-flags.js';

/** The properties of an oclif flag that decide about its value. */
interface FlagDefinition extends FlagFacts {
  readonly multiple?: boolean | undefined;
  readonly options?: readonly string[] | undefined;
  readonly default?: unknown;
  readonly required?: boolean | undefined;
  /** Flags that cannot be used together with it. */
  readonly exclusive?: readonly string[] | undefined;
  // The types of oclif's parameters depend on the flag.
  readonly parse?: ((input: never, context: never, flag: never) => Promise<unknown>) | undefined;
}

interface ArgumentDefinition {
  readonly required?: boolean | undefined;
}

export interface CommandDefinition extends Grammar {
  readonly flags: Readonly<Record<string, FlagDefinition>>;
  /** By name, in order. */
  readonly args?: Readonly<Record<string, ArgumentDefinition>>;
  /** Whether more words than arguments are an error. */
  readonly strict?: boolean;
}

export interface CommandLine {
  readonly flags: Record<string, unknown>;
  readonly args: Record<string, string | undefined>;
  readonly words: readonly string[];
  /** The names of the flags on the command line. */
  readonly given: ReadonlySet<string>;
}

/**
 * Parses and checks the words of a command, see {@link parseFlags}. The last value of a repeated flag counts, unless the flag is a list.
 *
 * @throws UsageError
 */
export async function parseCommand(argv: readonly string[], definition: CommandDefinition): Promise<CommandLine> {
  const { command, flags: known, args = {}, strict = false } = definition;
  const { flags: given, words } = parseFlags(argv, known as FlagTable, definition);
  const hint = helpHint(command);
  const flags: Record<string, unknown> = {};
  for (const { name, value } of given) {
    const facts = known[name] as FlagDefinition;
    const read = await readValue(name, facts, value, hint);
    flags[name] = facts.multiple ? [...((flags[name] as unknown[] | undefined) ?? []), read] : read;
  }
  for (const [name, { exclusive = [] }] of Object.entries(known)) {
    const other = exclusive.find((each) => isSet(flags[each]));
    if (other !== undefined && isSet(flags[name])) throw new UsageError(`--${name} and --${other} cannot be used together`, 'Remove one of them.');
  }
  for (const [name, facts] of Object.entries(known)) {
    if (flags[name] !== undefined) continue;
    if (facts.required) throw new UsageError(`required flag --${name} not set`, hint);
    const value = typeof facts.default === 'function' ? await facts.default() : facts.default;
    if (value !== undefined) flags[name] = value;
    else if (facts.type === 'boolean') flags[name] = false;
  }
  return { flags, args: argumentsOf(words, args, strict, hint), words, given: new Set(given.map(({ name }) => name)) };
}

/** Whether a flag is set. A switch that is off conflicts with no other flag. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== false;
}

async function readValue(name: string, facts: FlagDefinition, value: string | boolean, hint: string): Promise<unknown> {
  if (typeof value === 'boolean') return value;
  if (facts.options && !facts.options.includes(value))
    throw new UsageError(`invalid value '${value}' for --${name}`, `${dockerValue(name, value) ?? `Use one of ${facts.options.join(', ')}.`}\n${hint}`);
  if (!facts.parse) return value;
  try {
    return await facts.parse(value as never, {} as never, facts as never);
  } catch (error) {
    if ((error as Error).constructor.name === 'CLIError') throw new UsageError(`--${name}: ${(error as Error).message}`, hint);
    throw error;
  }
}

function argumentsOf(
  words: readonly string[],
  args: NonNullable<CommandDefinition['args']>,
  strict: boolean,
  hint: string,
): Record<string, string | undefined> {
  const names = Object.keys(args);
  const missing = names.find((name, i) => args[name]?.required && words[i] === undefined);
  if (missing !== undefined) throw new UsageError(`missing argument ${missing.toUpperCase()}`, hint);
  const extra = words[names.length];
  if (strict && extra !== undefined) throw new UsageError(`unexpected argument '${extra}'`, hint);
  return Object.fromEntries(names.map((name, i) => [name, words[i]]));
}
