/**
 * Text of a JSON object whose last member tells whether it is what was written ({@link isSealedText}): against a byte that changed on a disk,
 * not against anybody who wants to change one.
 *
 * @param text of a JSON object with members
 */
export function sealText(text: string): string {
  return `${text.slice(0, -1)},"sum":"${sumOf(text)}"}`;
}

/** @returns undefined when the text has no such member: an earlier version or another tool wrote it */
export function isSealedText(text: string): boolean | undefined {
  // A changed byte can be in the seal itself: a last member of its lengths is a seal.
  const [end, name, sum] = /,\s*"([^"]{3})"\s*:\s*"([^"]{8})"\s*\}\s*$/.exec(text) ?? [];
  if (end === undefined) return undefined;
  return name === 'sum' && sumOf(`${text.slice(0, -end.length)}}`) === sum;
}

/** FNV-1a, of 32 bits. Node takes milliseconds to load a hash. */
function sumOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
