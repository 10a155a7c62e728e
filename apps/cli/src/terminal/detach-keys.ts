import { UsageError } from '../errors/usage-error.js';
import { stderr } from '../output/out.js';

/**
 * Parses `--detach-keys`: characters and `ctrl-X`, separated by commas. @returns the bytes that a terminal sends
 *
 * @throws UsageError
 */
export function parseDetachKeys(text: string): string {
  if (text === '') return '';
  return text
    .split(',')
    .map((key) => {
      const [, control] = /^ctrl-([a-z@[\\\]^_])$/i.exec(key) ?? [];
      if (control !== undefined) return String.fromCharCode(control.toUpperCase().charCodeAt(0) & 0x1f);
      if (/^[\x20-\x7e]$/.test(key)) return key;
      throw new UsageError(`invalid detach key '${key}'`, 'Use characters and ctrl-X, separated by commas: ctrl-p,ctrl-q.');
    })
    .join('');
}

/** Returns a function that finds the detach keys in typed bytes. A partial match is held back until the next byte decides. */
export function detachScanner(keys: string): (typed: Buffer) => { readonly pass: Buffer; readonly detach: boolean } {
  let matched = 0;
  return (typed) => {
    if (!keys) return { pass: typed, detach: false };
    let pass = '';
    for (const key of typed.toString('latin1')) {
      if (key === keys[matched]) {
        matched++;
        if (matched === keys.length) return { pass: Buffer.from(pass, 'latin1'), detach: true };
        continue;
      }
      pass += keys.slice(0, matched);
      matched = key === keys[0] ? 1 : 0;
      if (!matched) pass += key;
    }
    return { pass: Buffer.from(pass, 'latin1'), detach: false };
  };
}

export const DEFAULT_DETACH_KEYS = 'ctrl-p,ctrl-q';

/** Prints that the container keeps running after a detach. */
export function printDetached(called: string): void {
  stderr.lines(['', leftLine(called)]);
}

/** Returns the message of {@link printDetached}, for the front that replaces this process. */
export function detachedMessage(id: string): string {
  return `\n${leftLine(id)}\n`;
}

function leftLine(called: string): string {
  return `lamella: detached; the container is still running. Attach again: lamella attach ${called}`;
}
