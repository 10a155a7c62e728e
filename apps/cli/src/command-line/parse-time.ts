import { UsageError } from '../errors/usage-error.js';
import { parseDuration } from './go-values.js';

const DAY = 86_400_000;
/** RFC 3339, and Docker's shorter forms of it: without seconds, without a time, without a zone (that is the local one). */
const DATE = /^(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?(Z|[+-]\d\d:\d\d)?$/;

/**
 * A time on the command line: RFC 3339, seconds since 1970, or how long ago, as Go and Docker write it (1h30m), or in days.
 *
 * @throws UsageError
 */
export function parseTime(text: string, now: number = Date.now()): Date {
  if (/^\d+(?:\.\d+)?$/.test(text)) return new Date(Number(text) * 1000);
  const [, days, rest] = /^(\d+(?:\.\d+)?)d(.*)$/.exec(text) ?? [];
  const duration = days === undefined ? parseDuration(text) : rest ? parseDuration(rest) : 0;
  if (duration !== undefined) return new Date(now - duration - Number(days ?? 0) * DAY);
  const [, day, time = '00:00', zone = ''] = DATE.exec(text) ?? [];
  const date = new Date(day === undefined ? Number.NaN : `${day}T${time}${zone}`);
  if (Number.isNaN(date.getTime()))
    throw new UsageError(`'${text}' is not a time`, 'Write 2026-01-02T15:04:05Z, seconds since 1970, or how long ago: 10m, 1h30m.');
  return date;
}
