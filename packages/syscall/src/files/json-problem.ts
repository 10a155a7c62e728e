/**
 * Returns the message of JSON.parse without the text that V8 quotes: the file may be a link to one that the reader of the message
 * must not see.
 */
export function jsonProblem(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^(.{0,40}?), (?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s, '$1').replace(/^".*" is not valid JSON$/s, 'it is not valid JSON');
}
