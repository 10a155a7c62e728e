import { UsageError } from '../usage-error.js';

/**
 * Fill a template by Docker's words: `{{.Name}}`, `{{json .}}`; what is between is taken as it is,
 * but for `\t` and `\n`.
 *
 * @throws UsageError for a field that there is not
 */
export function fill(template: string, fields: Readonly<Record<string, unknown>>): string {
  const plain = template.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
  return plain.replace(/\{\{\s*(json\s+)?\.([\w.]*)\s*\}\}/g, (_, json: string | undefined, name: string) => {
    const names = name === '' ? [] : name.split('.');
    const value = names.reduce<unknown>((at, each) => (at as Readonly<Record<string, unknown>> | null | undefined)?.[each], fields);
    if (value === undefined)
      throw new UsageError(
        `there is no field .${name}`,
        `Known are ${Object.keys(fields)
          .map((each) => `.${each}`)
          .join(', ')}.`,
      );
    return json || typeof value === 'object' ? JSON.stringify(value) : String(value);
  });
}
