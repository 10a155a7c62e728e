/** Returns a size in bytes for people, such as 4.2 MB. */
export function bytes(size: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = size;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** Returns a rough duration as Docker does: 5 seconds, 3 minutes. */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const steps: readonly (readonly [number, string])[] = [
    [86400 * 365, 'year'],
    [86400 * 30, 'month'],
    [86400, 'day'],
    [3600, 'hour'],
    [60, 'minute'],
    [1, 'second'],
  ];
  for (const [length, unit] of steps) {
    const count = Math.floor(seconds / length);
    if (count) return `${count} ${unit}${count > 1 ? 's' : ''}`;
  }
  return 'less than a second';
}

/** Returns how long ago a time was: 3 minutes ago. */
export function ago(date: Date, now: Date = new Date()): string {
  const milliseconds = now.getTime() - date.getTime();
  return milliseconds < 1000 ? 'just now' : `${duration(milliseconds)} ago`;
}
