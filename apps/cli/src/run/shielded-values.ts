/** The prefix of values that begin with `-`, without which oclif's parser would read them as flags: `-e -v=1` sets a variable `-v`. */
const SHIELD = ':';

/** Whether a value has to be shielded: it looks like a flag, or like one that was shielded. */
const LOOKS_LIKE_A_FLAG = /^[-:]/;

/**
 * Returns words with the values of flags shielded.
 *
 * @param takesNext whether the value of a flag is the next word
 * @param takesValue whether a flag, by its long name, has a value
 */
export function shieldValues(words: readonly string[], takesNext: (word: string) => boolean, takesValue: (name: string) => boolean): string[] {
  let isValue = false;
  return words.map((word) => {
    if (isValue) {
      isValue = false;
      return shielded(word);
    }
    isValue = takesNext(word);
    const [, name, value] = /^--([^=]+)=(.*)$/s.exec(word) ?? [];
    return name !== undefined && value !== undefined && takesValue(name) ? `--${name}=${shielded(value)}` : word;
  });
}

/** Returns what was parsed with the values as they were. */
export function unshieldValues<Flags>(flags: Flags): Flags {
  const plain = (value: unknown): unknown => {
    if (typeof value === 'string') return value.startsWith(SHIELD) && LOOKS_LIKE_A_FLAG.test(value.slice(1)) ? value.slice(1) : value;
    return Array.isArray(value) ? value.map(plain) : value;
  };
  return Object.fromEntries(Object.entries(flags as object).map(([name, value]) => [name, plain(value)])) as Flags;
}

function shielded(value: string): string {
  return LOOKS_LIKE_A_FLAG.test(value) ? `${SHIELD}${value}` : value;
}
