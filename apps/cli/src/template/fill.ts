import { asIs, type Printable } from '../output/printable.js';
import { executeTemplate } from './execute.js';
import { fieldsOf } from './fields-of.js';
import { FUNCTIONS, HEADER_FUNCTIONS } from './functions.js';
import { parseTemplate, type Template } from './parse.js';
import { inColumns } from './tab-writer.js';
import { TemplateError } from './template-error.js';
import type { Value } from './values.js';

const NAMES: ReadonlySet<string> = new Set(Object.keys(FUNCTIONS));

/** Fills a template for one value, as `docker inspect --format`. */
export type Fill = (data: Value) => Printable;

/** Parses a template for one value. @throws TemplateError; the result throws it for a value that does not fit */
export function templateOf(source: string): Fill {
  if (source === 'json') return templateOf('{{json .}}');
  const template = parseTemplate(source, NAMES);
  return (data) => asIs(executeTemplate(template, data, FUNCTIONS));
}

/** The fields of a row, with the headers of their columns. */
export type Headers = Readonly<Record<string, string>>;

/** A row: the fields of {@link Headers}, and methods. */
export type Row = Readonly<Record<string, Value>>;

/**
 * Returns a function that prints rows as `--format` says: `json`, `TEMPLATE`, or `table TEMPLATE` with headers. Returns undefined for the
 * table of the command.
 *
 * @throws TemplateError, for an unknown field too, even without rows
 */
export function listFormat(format: string, headers: Headers): ((rows: readonly Row[]) => Printable[]) | undefined {
  const [, isTable, source = ''] = /^\s*(table\b)?(.*)$/s.exec(format) ?? [];
  if (!source.trim()) return undefined;
  const template = parseTemplate(format === 'json' ? '{{json .}}' : source.trim(), NAMES, { escapes: true });
  check(template, headers);
  const fill = (row: Row): string => executeTemplate(template, row, FUNCTIONS);
  if (!isTable) return (rows) => rows.map((row) => asIs(fill(row)));
  const header = executeTemplate(template, { ...headers, Label: (name: Value) => name }, HEADER_FUNCTIONS);
  return (rows) => inColumns([header, ...rows.map(fill)]).map(asIs);
}

function check(template: Template, headers: Headers): void {
  for (const name of fieldsOf(template))
    if (!Object.hasOwn(headers, name) && name !== 'Label')
      throw new TemplateError(
        `can't evaluate field .${name}; known fields: ${Object.keys(headers)
          .map((each) => `.${each}`)
          .join(' ')}`,
      );
}
