/**
 * Returns the text of a JSON object with a checksum as its last member ({@link isSealedText}). It detects damage of a disk, not
 * tampering.
 *
 * @param text of a JSON object with members
 */
export function sealText(text: string): string {
  return `${text.slice(0, -1)},"sum":"${sumOf(text)}"}`;
}

/** Returns whether the checksum of a text is right; undefined if it has none, because an earlier version or another tool wrote it. */
export function isSealedText(text: string): boolean | undefined {
  // The checksum itself may be damaged: a last member of that length counts as one.
  const [end, name, sum] = /,\s*"([^"]{3})"\s*:\s*"([^"]{8})"\s*\}\s*$/.exec(text) ?? [];
  if (end === undefined) return undefined;
  return name === 'sum' && sumOf(`${text.slice(0, -end.length)}}`) === sum;
}

/** Returns the FNV-1a hash of 32 bits. Node needs milliseconds to load node:crypto. */
function sumOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
