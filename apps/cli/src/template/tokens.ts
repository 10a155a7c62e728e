import { TemplateError } from './template-error.js';

export type Token =
  | { readonly kind: 'text' | 'string' | 'field' | 'variable' | 'word'; readonly text: string; readonly spaced: boolean }
  | { readonly kind: 'number'; readonly value: number; readonly spaced: boolean }
  | { readonly kind: 'sign'; readonly text: '(' | ')' | '|' | ',' | ':=' | '=' | '.'; readonly spaced: boolean }
  /** The end of an action. */
  | { readonly kind: 'end'; readonly spaced: boolean };

/**
 * Splits a template into text and the tokens of its actions (lex.go of text/template). `{{-` and `-}}` trim the space beside them.
 * Comments are dropped.
 *
 * @param escapes whether `\t` and `\n` in its text mean a tab and a newline, as in Docker's lists
 * @throws TemplateError
 */
export function tokensOf(template: string, escapes: boolean): Token[] {
  const tokens: Token[] = [];
  let rest = template;
  let trim = false;
  const addText = (text: string, trimEnd: boolean): void => {
    let shown = trim ? text.trimStart() : text;
    if (trimEnd) shown = shown.trimEnd();
    if (escapes) shown = shown.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
    if (shown) tokens.push({ kind: 'text', text: shown, spaced: false });
  };
  for (;;) {
    const start = rest.indexOf('{{');
    if (start < 0) {
      addText(rest, false);
      return tokens;
    }
    const trims = /^\{\{-[ \t\r\n]/.test(rest.slice(start));
    addText(rest.slice(0, start), trims);
    rest = rest.slice(start + (trims ? 4 : 2));
    const comment = /^\s*\/\*.*?\*\/([ \t\r\n]-)?\}\}/s.exec(rest);
    if (comment) {
      rest = rest.slice(comment[0].length);
      trim = comment[1] !== undefined;
      continue;
    }
    if (/^\s*\/\*/.test(rest)) throw new TemplateError('unclosed comment');
    const { length, trims: trimsAfter } = action(rest, tokens);
    rest = rest.slice(length);
    trim = trimsAfter;
  }
}

const NAME = /^[\p{L}_][\p{L}\p{Nd}_]*/u;
const NUMBER = /^[+-]?(?:0x[\da-f_]+|0b[01_]+|0o[0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)/i;

/** Reads the tokens of one action, up to its end. */
function action(source: string, tokens: Token[]): { readonly length: number; readonly trims: boolean } {
  let at = 0;
  let spaced = false;
  for (;;) {
    const rest = source.slice(at);
    const end = /^([ \t\r\n]-)?\}\}/.exec(rest);
    if (end) {
      tokens.push({ kind: 'end', spaced });
      return { length: at + end[0].length, trims: end[1] !== undefined };
    }
    if (!rest) throw new TemplateError('unclosed action: }} is missing');
    const space = /^\s+/.exec(rest);
    if (space) {
      at += space[0].length;
      spaced = true;
      continue;
    }
    const { token, length } = next(rest, spaced);
    tokens.push(token);
    at += length;
    spaced = false;
  }
}

function next(rest: string, spaced: boolean): { readonly token: Token; readonly length: number } {
  const quoted = /^"(?:[^"\\\n]|\\.)*"|^`[^`]*`|^'(?:[^'\\\n]|\\.)+'/s.exec(rest)?.[0];
  if (quoted !== undefined) {
    const text = unquote(quoted);
    const token: Token = quoted.startsWith("'") ? { kind: 'number', value: text.codePointAt(0) ?? 0, spaced } : { kind: 'string', text, spaced };
    return { token, length: quoted.length };
  }
  if (/^["`']/.test(rest)) throw new TemplateError(`unterminated quoted string: ${rest}`);
  const field = rest.startsWith('.') ? NAME.exec(rest.slice(1))?.[0] : undefined;
  if (field !== undefined) return { token: { kind: 'field', text: field, spaced }, length: field.length + 1 };
  const number = NUMBER.exec(rest)?.[0];
  if (number !== undefined) {
    const value = Number(number.replaceAll('_', '').replace(/^\+/, ''));
    if (Number.isNaN(value) || NAME.test(rest.slice(number.length))) throw new TemplateError(`bad number syntax: '${rest}'`);
    return { token: { kind: 'number', value, spaced }, length: number.length };
  }
  if (rest.startsWith('$')) {
    const name = NAME.exec(rest.slice(1))?.[0] ?? '';
    return { token: { kind: 'variable', text: `$${name}`, spaced }, length: name.length + 1 };
  }
  const word = NAME.exec(rest)?.[0];
  if (word !== undefined) return { token: { kind: 'word', text: word, spaced }, length: word.length };
  const sign = /^(?::=|[()|,=.])/.exec(rest)?.[0];
  if (sign === undefined) throw new TemplateError(`unexpected '${rest[0]}' in action`);
  return { token: { kind: 'sign', text: sign as '(', spaced }, length: sign.length };
}

const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' };

/** Returns the value of a Go string literal. */
function unquote(quoted: string): string {
  const inner = quoted.slice(1, -1);
  if (quoted.startsWith('`')) return inner;
  return inner.replace(/\\(x[\da-f]{2}|u[\da-f]{4}|U[\da-f]{8}|[0-7]{3}|.)/gis, (_, code: string) => {
    if (/^[xuU]./.test(code)) return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]{3}$/.test(code)) return String.fromCodePoint(Number.parseInt(code, 8));
    const found = ESCAPES[code] ?? (/^["'\\]$/.test(code) ? code : undefined);
    if (found === undefined) throw new TemplateError(`unknown escape \\${code}`);
    return found;
  });
}
