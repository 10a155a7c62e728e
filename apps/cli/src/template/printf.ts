import { formatted, Shown, shown, stringOf, typeName, type Value } from './values.js';

const VERB = /%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?([\s\S]?)/g;

/** fmt.Sprintf. The values are safe to print, and errors are part of the text, as in Go. */
export function sprintf(format: string, args: readonly Value[]): string {
  let used = 0;
  const text = format.replace(VERB, (whole, flags: string, width: string | undefined, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    if (verb === '') return '%!(NOVERB)';
    const star = (given: string | undefined): number | undefined => (given === undefined ? undefined : given === '*' ? Number(args[used++]) : Number(given));
    const [wide, exact] = [star(width), star(precision) ?? (/\.\D?$/.test(whole.slice(0, -1)) ? 0 : undefined)];
    if (used >= args.length) return `%!${verb}(MISSING)`;
    const value = args[used++];
    const converted = convert(verb, value, flags, exact) ?? `%!${verb}(${typeName(value)}=${formatted(value)})`;
    return padded(converted, wide ?? 0, flags, typeof value === 'number');
  });
  const extra = args.slice(used).map((each) => `${typeName(each)}=${formatted(each)}`);
  return extra.length ? `${text}%!(EXTRA ${extra.join(', ')})` : text;
}

function padded(text: string, width: number, flags: string, isNumber: boolean): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0') || !isNumber) return ' '.repeat(missing) + text;
  const [, sign = '', digits = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  return sign + '0'.repeat(missing) + digits;
}

/** Formats a value; undefined if the verb does not support its type. */
function convert(verb: string, value: Value, flags: string, precision: number | undefined): string | undefined {
  if (verb === 'v') return formatted(value, flags.includes('+'));
  if (verb === 'T') return typeName(value);
  if (Array.isArray(value)) {
    const all = value.map((each) => convert(verb, each, flags, precision));
    return all.every((each) => each !== undefined) ? `[${all.join(' ')}]` : undefined;
  }
  if (verb === 't') return typeof value === 'boolean' ? String(value) : undefined;
  if (typeof value === 'number') return convertNumber(verb, value, flags, precision);
  const text = stringOf(value);
  if (text === undefined) return undefined;
  const cut = precision === undefined ? text : [...text].slice(0, precision).join('');
  switch (verb) {
    case 's':
      return value instanceof Shown ? cut : shown(cut);
    case 'q':
      return JSON.stringify(value instanceof Shown ? cut : shown(cut));
    case 'x':
    case 'X': {
      const hex = Buffer.from(cut).toString('hex');
      return verb === 'x' ? hex : hex.toUpperCase();
    }
    default:
      return undefined;
  }
}

function convertNumber(verb: string, value: number, flags: string, precision: number | undefined): string | undefined {
  const sign = value >= 0 && flags.includes('+') ? '+' : value >= 0 && flags.includes(' ') ? ' ' : '';
  const digits = (base: number, prefix: string): string => `${value < 0 ? '-' : sign}${flags.includes('#') ? prefix : ''}${Math.abs(value).toString(base)}`;
  const exponent = (text: string): string => text.replace(/e([+-])(\d)$/, 'e$10$2');
  const whole = Number.isInteger(value);
  switch (verb) {
    case 'd':
      return whole ? digits(10, '') : undefined;
    case 'x':
      return whole ? digits(16, '0x') : undefined;
    case 'X':
      return whole ? digits(16, '0x').toUpperCase() : undefined;
    case 'o':
      return whole ? digits(8, '0') : undefined;
    case 'b':
      return whole ? digits(2, '0b') : undefined;
    case 'c':
      return whole && value >= 0 && value <= 0x10ffff ? shown(String.fromCodePoint(value)) : undefined;
    case 'U':
      return whole ? `U+${value.toString(16).toUpperCase().padStart(4, '0')}` : undefined;
    case 'q':
      return whole && value >= 0 && value <= 0x10ffff ? `'${shown(String.fromCodePoint(value))}'` : undefined;
    case 'f':
    case 'F':
      return sign + value.toFixed(precision ?? 6);
    case 'e':
      return sign + exponent(value.toExponential(precision ?? 6));
    case 'g':
      return sign + exponent(precision === undefined ? String(value) : String(Number(value.toPrecision(precision || 1))));
    default:
      return undefined;
  }
}
