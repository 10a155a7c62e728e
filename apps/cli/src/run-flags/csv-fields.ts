/**
 * Returns the fields of one line of comma-separated values (RFC 4180), as Docker parses `--mount`: a field in double quotes may contain commas,
 * line breaks and doubled double quotes.
 *
 * @returns undefined if a quote is not closed, or is in the middle of a field
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
