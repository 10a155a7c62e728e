/** The deepest nesting of documents. Go, and so Docker, stops at 10 000; recursive functions in Node stop at about 4 000. */
export const JSON_DEPTH = 512;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Reads a JSON document of others. Refuses nesting deeper than {@link JSON_DEPTH}, because JSON.stringify could not write such a
 * document again.
 *
 * @param reviver as JSON.parse has it
 * @throws SyntaxError; {@link jsonProblem} says what is wrong without quoting the document
 */
export function parseJson(text: string, reviver?: Parameters<typeof JSON.parse>[1]): unknown {
  if (text.length > JSON_DEPTH && isTooDeep(text)) throw new SyntaxError(`it is nested more than ${JSON_DEPTH} levels deep`);
  return JSON.parse(text, reviver);
}

function isTooDeep(text: string): boolean {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      for (at++; at < text.length && text.charCodeAt(at) !== QUOTE; at++) if (text.charCodeAt(at) === BACKSLASH) at++;
    } else if (code === 0x5b || code === 0x7b) {
      if (++depth > JSON_DEPTH) return true;
    } else if (code === 0x5d || code === 0x7d) depth--;
  }
  return false;
}
