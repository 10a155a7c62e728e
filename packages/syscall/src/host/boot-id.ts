import { readFileSync } from 'node:fs';

let boot: string | undefined;

/** Returns the id of the current boot (random(4), boot_id). */
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}
