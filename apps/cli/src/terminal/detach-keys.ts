import { UsageError } from '../errors/usage-error.js';
import { stderr } from '../output/out.js';

/**
 * What `--detach-keys` says, as the bytes a terminal sends: characters and `ctrl-X`, with commas between.
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
      throw new UsageError(`'${key}' is not a key`, 'Write characters and ctrl-X with commas between: ctrl-p,ctrl-q.');
    })
    .join('');
}

/** Cuts what is typed at the keys that detach; those typed so far are held back until it is clear what they are. */
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

/** Tell who typed them what became of it. */
export function printDetached(called: string): void {
  stderr.lines(['', leftLine(called)]);
}

/** The same, for what writes it when this process is gone. */
export function detachedMessage(id: string): string {
  return `\n${leftLine(id)}\n`;
}

function leftLine(called: string): string {
  return `lamella: it runs on; come back to it: lamella attach ${called}`;
}
