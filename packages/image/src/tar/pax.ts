import { ImageError } from '../model/image-error.js';
import { printable } from './entry.js';

/** Records of a PAX extended header, in order, because some keys repeat; values are bytes (latin1). */
export type PaxRecords = readonly (readonly [key: string, value: string])[];

/**
 * `length key=value\n`, again and again (POSIX pax(1), "pax Extended Header").
 *
 * @throws ImageError `TAR_PAX`
 */
export function parsePax(b: Buffer): PaxRecords {
  const records: [string, string][] = [];
  let at = 0;
  while (at < b.length && b[at] !== 0) {
    let length = 0;
    let i = at;
    for (; i < b.length && (b[i] as number) >= 0x30 && (b[i] as number) <= 0x39; i++) length = length * 10 + (b[i] as number) - 0x30;
    const end = at + length;
    if (i === at || b[i] !== 0x20 || end > b.length || end <= i + 1 || b[end - 1] !== 0x0a) throw malformed();
    const record = b.toString('latin1', i + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals < 1) throw malformed();
    records.push([record.slice(0, equals), record.slice(equals + 1)]);
    at = end;
  }
  return records;
}

function malformed(): ImageError {
  return new ImageError({ code: 'TAR_PAX', message: 'an extended header is malformed', hint: 'The archive is damaged.' });
}

/** A decimal integer from an extended header. */
export function paxInteger(key: string, value: string, name: string): number {
  const number = /^-?\d+$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(number)) throw invalid(key, value, name);
  return number;
}

/**
 * Seconds with a fraction of any length. A negative time counts its fraction forward, as the kernel does. What is finer than
 * a nanosecond is dropped towards the past, as GNU tar does.
 */
export function paxTime(key: string, value: string, name: string): readonly [seconds: number, nanoseconds: number] {
  const match = /^(-?)(\d+)(?:\.(\d*))?$/.exec(value);
  const whole = match ? Number(match[2]) : Number.NaN;
  if (!match || !Number.isSafeInteger(whole)) throw invalid(key, value, name);
  const fraction = match[3] ?? '';
  const nanoseconds = Number(fraction.slice(0, 9).padEnd(9, '0'));
  if (!match[1]) return [whole, nanoseconds];
  const before = nanoseconds + (/[1-9]/.test(fraction.slice(9)) ? 1 : 0);
  return before ? [-whole - 1, 1_000_000_000 - before] : [0 - whole, 0];
}

function invalid(key: string, value: string, name: string): ImageError {
  return new ImageError({
    code: 'TAR_PAX',
    message: `the ${key} of '${printable(name)}' is '${printable(value)}'`,
    hint: 'The archive is damaged.',
  });
}
