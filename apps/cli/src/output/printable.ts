import { styleText } from 'node:util';
import { visible, visibleJson } from '@lamella/syscall';

type Style = Parameters<typeof styleText>[0];

/**
 * Text that may go to a terminal as it is: nothing from outside is in it unescaped. Strings are none; what prints them escapes them.
 * Made by {@link text}, {@link styled} and {@link asIs} only.
 */
export class Printable {
  readonly plain: string;
  readonly colored: string;

  constructor(plain: string, colored: string) {
    this.plain = plain;
    this.colored = colored;
  }

  /** Without colors, for who joins it to something. */
  toString(): string {
    return this.plain;
  }
}

/** What {@link text} takes. */
export type Shown = string | number | Printable;

/** Returns what is safe to print of a value: a string is escaped, see `visible` of @lamella/syscall. */
export function printable(value: Shown): Printable {
  return value instanceof Printable ? value : asIs(visible(String(value)));
}

/** A template whose values are escaped. Its own words are ours. */
export function text(words: TemplateStringsArray, ...values: readonly Shown[]): Printable {
  const shown = values.map(printable);
  const joined = (of: (value: Printable) => string): string => words.reduce((all, word, i) => all + of(shown[i - 1] as Printable) + word);
  return new Printable(
    joined(({ plain }) => plain),
    joined(({ colored }) => colored),
  );
}

/** Returns a value in a color. Whether it is shown is decided where it is printed. */
export function styled(style: Style, value: Shown): Printable {
  const { plain, colored } = printable(value);
  return new Printable(plain, styleText(style, colored, { validateStream: false }));
}

/** Several, with the same between them. */
export function joined(values: readonly Shown[], between: string): Printable {
  const shown = values.map(printable);
  return new Printable(shown.map(({ plain }) => plain).join(between), shown.map(({ colored }) => colored).join(between));
}

/** A value for programs, in one line. */
export function jsonLine(value: unknown): Printable {
  return asIs(visibleJson(JSON.stringify(value)));
}

/** What the user typed, or a program of ours wrote for programs: it goes out as it came. */
export function asIs(plain: string): Printable {
  return new Printable(plain, plain);
}
