import { UsageError } from '../usage-error.js';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A time on the command line: RFC 3339, seconds since 1970, or how long ago, as Go and Docker write it (1h30m).
 *
 * @throws UsageError
 */
export function moment(text: string, now: number = Date.now()): Date {
  if (/^\d+(?:\.\d+)?$/.test(text)) return new Date(Number(text) * 1000);
  if (/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text)) {
    const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)];
    return new Date(now - parts.reduce((sum, [, number, unit = '']) => sum + Number(number) * (UNITS[unit] ?? 0), 0));
  }
  const date = new Date(text);
  if (Number.isNaN(date.getTime()))
    throw new UsageError(`'${text}' is not a time`, 'Write 2026-01-02T15:04:05Z, seconds since 1970, or how long ago: 10m, 1h30m.');
  return date;
}
