/** Pairs of a name, as bytes in latin1, and what was noted: any name may be one, `__proto__` too. */
export type Names<Content> = readonly (readonly [name: string, content: Content])[];
