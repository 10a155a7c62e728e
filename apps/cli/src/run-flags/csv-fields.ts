/**
 * Returns the fields of one line of comma-separated values (RFC 4180), as Docker reads `--mount`: a field in double quotes may have commas,
 * line breaks and, written twice, double quotes in it.
 *
 * @returns undefined for a quote that is not closed, or that stands in the middle of a field
 */
export function csvFields(text: string): readonly string[] | undefined {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",]*))(,|$)/y;
  for (;;) {
    const [, quoted, plain = '', end] = field.exec(text) ?? [];
    if (end === undefined) return undefined;
    fields.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === '') return fields;
  }
}
