import { UsageError } from '../errors/usage-error.js';
import { dockerValue } from './docker-flags.js';
import type { FlagFacts, FlagTable } from './flag-table.js';
import { type Grammar, helpHint, parseFlags } from './parse-flags.js';

/** A flag as oclif defines it, as far as values are concerned. */
interface FlagDefinition extends FlagFacts {
  readonly multiple?: boolean | undefined;
  readonly options?: readonly string[] | undefined;
  readonly default?: unknown;
  readonly required?: boolean | undefined;
  /** Flags that it does not go together with. */
  readonly exclusive?: readonly string[] | undefined;
  // oclif's own parameters are of types that depend on the flag.
  readonly parse?: ((input: never, context: never, flag: never) => Promise<unknown>) | undefined;
}

interface ArgumentDefinition {
  readonly required?: boolean | undefined;
}

export interface CommandDefinition extends Grammar {
  readonly flags: Readonly<Record<string, FlagDefinition>>;
  /** By name, in their order. */
  readonly args?: Readonly<Record<string, ArgumentDefinition>>;
  /** Whether there may be no more words than arguments. */
  readonly strict?: boolean;
}

export interface CommandLine {
  readonly flags: Record<string, unknown>;
  readonly args: Record<string, string | undefined>;
  readonly words: readonly string[];
  /** The flags that were given, by name. */
  readonly given: ReadonlySet<string>;
}

/**
 * Takes the words of a command apart, and checks them: see {@link parseFlags}. Of a flag that is given again the last value counts, as far as
 * it is no list.
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
    if (other !== undefined && isSet(flags[name])) throw new UsageError(`--${name} and --${other} contradict each other`, 'Give one of them.');
  }
  for (const [name, facts] of Object.entries(known)) {
    if (flags[name] !== undefined) continue;
    if (facts.required) throw new UsageError(`--${name} is missing`, hint);
    const value = typeof facts.default === 'function' ? await facts.default() : facts.default;
    if (value !== undefined) flags[name] = value;
    else if (facts.type === 'boolean') flags[name] = false;
  }
  return { flags, args: argumentsOf(words, args, strict, hint), words, given: new Set(given.map(({ name }) => name)) };
}

/** A switch that is off contradicts nothing. */
function isSet(value: unknown): boolean {
  return value !== undefined && value !== false;
}

async function readValue(name: string, facts: FlagDefinition, value: string | boolean, hint: string): Promise<unknown> {
  if (typeof value === 'boolean') return value;
  if (facts.options && !facts.options.includes(value))
    throw new UsageError(`'${value}' is not a value of --${name}`, `${dockerValue(name, value) ?? `Known are ${facts.options.join(', ')}.`} ${hint}`);
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
  if (missing !== undefined) throw new UsageError(`the argument ${missing.toUpperCase()} is missing`, hint);
  const extra = words[names.length];
  if (strict && extra !== undefined) throw new UsageError(`'${extra}' is one argument too many`, hint);
  return Object.fromEntries(names.map((name, i) => [name, words[i]]));
}
