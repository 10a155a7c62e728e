/** Returns the words that the user typed, see own-words.cjs for the contract with launchers. */
export function ownWords(program: string, status: number): string[];
/** Returns the first word that Node would obey wherever it stands in Node's arguments. */
export function readByNode(words: readonly string[]): string | undefined;
