/** Parsers for values of flags that accept what Go and Docker accept. Each returns undefined for anything else. */

/** Parses as strconv.ParseBool. */
export function parseBool(text: string): boolean | undefined {
  if (['1', 't', 'T', 'true', 'TRUE', 'True'].includes(text)) return true;
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text) ? false : undefined;
}

const INTEGER = /^([+-]?)(?:0x([0-9a-f]+)|0b([01]+)|0o?([0-7]+)|(0|[1-9]\d*))$/i;

/** Parses as strconv.ParseInt with base 0, up to 2^53: 10, -1, 0x1f, 0o17, 017, 1_000. */
export function parseInteger(text: string): number | undefined {
  if (/^_|_$|__/.test(text)) return undefined;
  const match = INTEGER.exec(text.replaceAll('_', ''));
  if (!match) return undefined;
  const [, sign, hex, binary, octal, decimal = ''] = match;
  const magnitude =
    hex !== undefined
      ? Number.parseInt(hex, 16)
      : binary !== undefined
        ? Number.parseInt(binary, 2)
        : octal !== undefined
          ? Number.parseInt(octal, 8)
          : Number(decimal);
  const value = sign === '-' ? -magnitude : magnitude;
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

const UNITS: Readonly<Record<string, number>> = { k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4, p: 1024 ** 5 };
const FLOAT = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** Parses as units.RAMInBytes: 512, 512b, 1.5g, 64 MiB, .5gb. @returns bytes */
export function parseSize(text: string): number | undefined {
  // One space may be between the last digit and the unit.
  const [, number = '', unit = ''] = /^(.*[0-9.]) ?([^0-9. ]*)$/.exec(text) ?? [];
  if (!FLOAT.test(number) || !/^(?:b|[kmgtp](?:i?b)?)?$/i.test(unit)) return undefined;
  const value = Math.trunc(Number(number) * (UNITS[unit.charAt(0).toLowerCase()] ?? 1));
  return value >= 0 && Number.isSafeInteger(value) ? value + 0 : undefined;
}

/** Parses as big.Rat.SetString, in billionths of a CPU as Docker does: .5, 1.5, 1e-1, 3/4. @returns CPUs */
export function parseCpus(text: string): number | undefined {
  const [numerator = '', denominator, ...more] = text.split('/');
  if (more.length || !FLOAT.test(numerator) || (denominator !== undefined && !/^[+]?\d+$/.test(denominator))) return undefined;
  const value = Number(numerator) / Number(denominator ?? 1);
  const billionths = Math.round(value * 1e9);
  // A value with more digits is an error, and is not rounded.
  return Number.isSafeInteger(billionths) && Math.abs(value * 1e9 - billionths) < 1e-3 ? billionths / 1e9 + 0 : undefined;
}

const DURATION_UNITS: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Parses as time.ParseDuration: 1h30m, 1.5s, -10ms, 0. @returns milliseconds */
export function parseDuration(text: string): number | undefined {
  const [, sign = '', rest = ''] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === '0') return 0;
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|[smh]))+$/.test(rest)) return undefined;
  const parts = [...rest.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|[smh])/g)];
  const value = parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (DURATION_UNITS[unit] ?? 0), 0);
  return (sign === '-' ? -value : value) + 0;
}
