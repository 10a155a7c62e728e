import { visibleJson } from '@lamella/syscall';
import { UsageError } from '../usage-error.js';
import { asIs, joined, type Printable, printable } from './printable.js';

/**
 * Fills a template by Docker's words: `{{.Name}}`, `{{json .}}`. What is between is taken as it is, but for `\t` and `\n`; what is filled
 * in is escaped.
 *
 * @throws UsageError for a field that there is not
 */
export function fill(template: string, fields: Readonly<Record<string, unknown>>): Printable {
  const plain = template.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  const parts: Printable[] = [];
  let at = 0;
  for (const { 0: whole, 1: json, 2: name = '', index } of plain.matchAll(/\{\{\s*(json\s+)?\.([\w.]*)\s*\}\}/g)) {
    const value = fieldOf(name, fields);
    parts.push(asIs(plain.slice(at, index)), json || typeof value === 'object' ? asIs(visibleJson(JSON.stringify(value))) : printable(String(value)));
    at = index + whole.length;
  }
  return joined([...parts, asIs(plain.slice(at))], '');
}

function fieldOf(name: string, fields: Readonly<Record<string, unknown>>): unknown {
  const names = name === '' ? [] : name.split('.');
  const value = names.reduce<unknown>((at, each) => (at as Readonly<Record<string, unknown>> | null | undefined)?.[each], fields);
  if (value === undefined)
    throw new UsageError(
      `there is no field .${name}`,
      `Known are ${Object.keys(fields)
        .map((each) => `.${each}`)
        .join(', ')}.`,
    );
  return value;
}
