/** A WWW-Authenticate header: how a registry wants to be asked (RFC 9110, 11.6.1). */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly parameters: Readonly<Record<string, string>>;
}

/** The challenge that we can meet; bearer before basic. */
export function parseChallenge(header: string | readonly string[] | undefined): Challenge | undefined {
  const challenges = [header ?? []].flat().flatMap(split);
  return challenges.find(({ scheme }) => scheme === 'bearer') ?? challenges.find(({ scheme }) => scheme === 'basic');
}

function split(header: string): Challenge[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  // A scheme, or a parameter with a token or a quoted value.
  for (const [, name = '', quoted, token] of header.matchAll(/([\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+)))?/g)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? token;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), parameters: {} });
    else if (found.length) (found.at(-1) as { parameters: Record<string, string> }).parameters[name.toLowerCase()] = value;
  }
  return found.filter((each): each is Challenge => each.scheme === 'basic' || each.scheme === 'bearer');
}
