import { textOf } from './byte-text.js';

/** Characters that a terminal interprets, hides or reorders, and lone surrogates. */
const UNSEEN = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?![\u00ad\u200c\u200d])\p{Cf}/gu;
const PLAIN = /^[ -~]*$/;
const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** Options of {@link visible}. */
export interface VisibleOptions {
  /** Whether backslashes are doubled, to distinguish escapes from names that look like them. Default false. */
  readonly backslash?: boolean;
}

/**
 * Returns text as one line that is safe on a terminal: control characters, line separators, lone surrogates and invisible format
 * characters (those that turn the direction of text among them) are written as escapes, such as `\n`, `\x1b` and `\u202e`.
 */
export function visible(text: string, { backslash = false }: VisibleOptions = {}): string {
  const told = backslash ? text.replaceAll('\\', '\\\\') : text;
  return PLAIN.test(told) ? told : told.replace(UNSEEN, (found) => NAMED[found] ?? escaped(found, 'text'));
}

/**
 * Returns JSON text with the same characters escaped as JSON does. Its meaning does not change.
 *
 * @param json as `JSON.stringify` wrote it; newlines and spaces of its indentation stay
 */
export function visibleJson(json: string): string {
  return json.replace(UNSEEN, (found) => (found === '\n' ? found : escaped(found, 'json')));
}

function escaped(found: string, notation: 'text' | 'json'): string {
  let text = '';
  for (let i = 0; i < found.length; i++) {
    // In text a lone surrogate is shown as its byte.
    const shown = found.charCodeAt(i);
    const unit = notation === 'text' && shown >= 0xdc80 && shown <= 0xdcff && found.length === 1 ? shown - 0xdc00 : shown;
    text += notation === 'text' && unit < 0x100 ? `\\x${unit.toString(16).padStart(2, '0')}` : `\\u${unit.toString(16).padStart(4, '0')}`;
  }
  return text;
}

/** Returns bytes as {@link visible} text. Bytes that are not UTF-8 are written as `\xff`. */
export function visibleBytes(bytes: Uint8Array, options: VisibleOptions = {}): string {
  return visible(textOf(bytes), options);
}
