/** What the parser has to know of a flag; oclif's definitions have it, and its manifest. */
export interface FlagFacts {
  readonly type: string;
  readonly char?: string | undefined;
  /** Other long names of it. */
  readonly aliases?: readonly string[] | undefined;
  /** Other letters of it. */
  readonly charAliases?: readonly string[] | undefined;
  /** `--no-NAME` is its opposite. */
  readonly allowNo?: boolean | undefined;
}

export type FlagTable = Readonly<Record<string, FlagFacts>>;
