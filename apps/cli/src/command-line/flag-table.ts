/** The properties of a flag that the parser needs. oclif's definitions and its manifest have them. */
export interface FlagFacts {
  readonly type: string;
  readonly char?: string | undefined;
  /** Other long names. */
  readonly aliases?: readonly string[] | undefined;
  /** Other letters. */
  readonly charAliases?: readonly string[] | undefined;
  /** Whether `--no-NAME` turns it off. */
  readonly allowNo?: boolean | undefined;
}

export type FlagTable = Readonly<Record<string, FlagFacts>>;
