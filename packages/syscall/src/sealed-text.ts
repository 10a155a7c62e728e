/**
 * Text of a JSON object whose last member tells whether it is what was written ({@link isSealedText}): against a byte that changed on a disk,
 * not against anybody who wants to change one.
 *
 * @param text of a JSON object with members
 */
export function sealText(text: string): string {
  return `${text.slice(0, -1)},"sum":"${sumOf(text)}"}`;
}

/** @returns undefined when the text has no such member */
export function isSealedText(text: string): boolean | undefined {
  const [end, sum] = /,"sum":"([0-9a-f]{8})"\}\n?$/.exec(text) ?? [];
  if (end === undefined) return undefined;
  return sumOf(`${text.slice(0, -end.length)}}`) === sum;
}

/** FNV-1a, of 32 bits. Node takes milliseconds to load a hash. */
function sumOf(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}
