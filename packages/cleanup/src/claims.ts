import * as v from 'valibot';

const absolute = v.pipe(v.string(), v.startsWith('/'));

const ClaimSchema = v.variant('kind', [
  /** A directory that is about to be made: it is ours as long as nothing is in it. A cgroup is one, too. */
  v.object({ kind: v.literal('empty'), path: absolute }),
  /** A directory and all in it. */
  v.object({ kind: v.literal('directory'), path: absolute }),
  /** A mount that the host sees. `upperdir` distinguishes it from another user's at the same place. */
  v.object({ kind: v.literal('mount'), path: absolute, upperdir: v.optional(absolute) }),
]);
const JournalSchema = v.object({ version: v.literal(1), claims: v.array(ClaimSchema) });

/** A resource outside of the container's namespaces, written down before it is made. */
export type Claim =
  | { readonly kind: 'empty'; readonly path: string }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'mount'; readonly path: string; readonly upperdir?: string | undefined };

/** The journal's text for a list of claims, in the order in which they will be made. */
export function formatJournal(claims: readonly Claim[]): string {
  return `${JSON.stringify({ version: 1, claims })}\n`;
}

/**
 * Returns the claims of a journal. A journal that was torn by a power cut claims nothing. It is written first, so what it would
 * name was not made yet.
 */
export function parseJournal(text: string): readonly Claim[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return [];
    throw error;
  }
  const parsed = v.safeParse(JournalSchema, json);
  return parsed.success ? parsed.output.claims : [];
}
