import { asIs, type Printable } from '../output/printable.js';
import { executeTemplate } from './execute.js';
import { fieldsOf } from './fields-of.js';
import { FUNCTIONS, HEADER_FUNCTIONS } from './functions.js';
import { parseTemplate, type Template } from './parse.js';
import { inColumns } from './tab-writer.js';
import { TemplateError } from './template-error.js';
import type { Value } from './values.js';

const NAMES: ReadonlySet<string> = new Set(Object.keys(FUNCTIONS));

/** A template for one value: `docker inspect --format`. */
export type Fill = (data: Value) => Printable;

/** @throws TemplateError when it is wrong; the same for a value that it does not fit */
export function templateOf(source: string): Fill {
  if (source === 'json') return templateOf('{{json .}}');
  const template = parseTemplate(source, NAMES);
  return (data) => asIs(executeTemplate(template, data, FUNCTIONS));
}

/** What a list can be printed by: each field, and what is above its column. */
export type Headers = Readonly<Record<string, string>>;

/** A row: the fields of {@link Headers}, and methods. */
export type Row = Readonly<Record<string, Value>>;

/**
 * Returns what prints a list as `--format` says: `json`, `TEMPLATE`, or `table TEMPLATE` with words above its columns. Undefined for the
 * command's own table.
 *
 * @throws TemplateError, also for a field that there is not and rows that there are none of
 */
export function listFormat(format: string, headers: Headers): ((rows: readonly Row[]) => Printable[]) | undefined {
  const [, isTable, source = ''] = /^\s*(table\b)?(.*)$/s.exec(format) ?? [];
  if (!source.trim()) return undefined;
  const template = parseTemplate(format === 'json' ? '{{json .}}' : source.trim(), NAMES, { escapes: true });
  check(template, headers);
  const fill = (row: Row): string => executeTemplate(template, row, FUNCTIONS);
  if (!isTable) return (rows) => rows.map((row) => asIs(fill(row)));
  const above = executeTemplate(template, { ...headers, Label: (name: Value) => name }, HEADER_FUNCTIONS);
  return (rows) => inColumns([above, ...rows.map(fill)]).map(asIs);
}

function check(template: Template, headers: Headers): void {
  for (const name of fieldsOf(template))
    if (!Object.hasOwn(headers, name) && name !== 'Label')
      throw new TemplateError(
        `there is no field .${name}; there are ${Object.keys(headers)
          .map((each) => `.${each}`)
          .join(' ')}`,
      );
}
