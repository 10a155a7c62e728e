import { styleText } from 'node:util';
import { visible, visibleJson } from '@lamella/syscall';

type Style = Parameters<typeof styleText>[0];

/**
 * Text that is safe to print: everything from outside is escaped in it. Plain strings are escaped when they are printed.
 * Only {@link text}, {@link styled} and {@link asIs} make it.
 */
export class Printable {
  readonly plain: string;
  readonly colored: string;

  constructor(plain: string, colored: string) {
    this.plain = plain;
    this.colored = colored;
  }

  /** Returns the text without colors. */
  toString(): string {
    return this.plain;
  }
}

/** The values that {@link text} takes. */
export type Shown = string | number | Printable;

/** Returns a value as printable text. A string is escaped, see `visible` of @lamella/syscall. */
export function printable(value: Shown): Printable {
  return value instanceof Printable ? value : asIs(visible(String(value)));
}

/** Template tag that escapes its values, but not its literal parts. */
export function text(words: TemplateStringsArray, ...values: readonly Shown[]): Printable {
  const shown = values.map(printable);
  const joined = (of: (value: Printable) => string): string => words.reduce((all, word, i) => all + of(shown[i - 1] as Printable) + word);
  return new Printable(
    joined(({ plain }) => plain),
    joined(({ colored }) => colored),
  );
}

/** Returns a value in a color. The output decides whether colors are printed. */
export function styled(style: Style, value: Shown): Printable {
  const { plain, colored } = printable(value);
  return new Printable(plain, styleText(style, colored, { validateStream: false }));
}

/** Returns several values with a separator. */
export function joined(values: readonly Shown[], between: string): Printable {
  const shown = values.map(printable);
  return new Printable(shown.map(({ plain }) => plain).join(between), shown.map(({ colored }) => colored).join(between));
}

/** Returns a value as JSON in one line. */
export function jsonLine(value: unknown): Printable {
  return asIs(visibleJson(JSON.stringify(value)));
}

/** Returns text that is printed without escapes. For trusted text only. */
export function asIs(plain: string): Printable {
  return new Printable(plain, plain);
}
