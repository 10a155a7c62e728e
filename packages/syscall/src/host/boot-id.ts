import { readFileSync } from 'node:fs';

let boot: string | undefined;

/** What this boot of the kernel is called (random(4), boot_id). */
export function bootId(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return boot;
}
