/** A WWW-Authenticate header: how a registry wants to be asked (RFC 9110, 11.6.1). */
export interface Challenge {
  readonly scheme: 'basic' | 'bearer';
  readonly parameters: Readonly<Record<string, string>>;
}

/** Returns the challenge that we can meet; bearer before basic, if it contains the place of tokens. */
export function parseChallenge(header: string | readonly string[] | undefined): Challenge | undefined {
  const challenges = [header ?? []].flat().flatMap(split);
  const known = (scheme: Challenge['scheme']): Challenge[] => challenges.filter((each): each is Challenge => each.scheme === scheme);
  return known('bearer').find(({ parameters }) => parameters.realm) ?? known('basic')[0] ?? known('bearer')[0];
}

/** Returns the schemes of a header, for messages. */
export function schemesOf(header: string | readonly string[] | undefined): readonly string[] {
  return [header ?? []].flat().flatMap((each) => split(each).map(({ scheme }) => scheme));
}

function split(header: string): { scheme: string; parameters: Record<string, string> }[] {
  const found: { scheme: string; parameters: Record<string, string> }[] = [];
  // A scheme, or a parameter with a token or a quoted value.
  for (const [, name = '', quoted, token] of header.matchAll(/([\w-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,]+)))?/g)) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? token;
    if (value === undefined) found.push({ scheme: name.toLowerCase(), parameters: {} });
    else if (found.length) (found.at(-1) as { parameters: Record<string, string> }).parameters[name.toLowerCase()] = value;
  }
  return found;
}
