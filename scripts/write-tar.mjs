/** Writes archives of a few files, for a machine that may have no tar(1). */
import { writeFileSync } from 'node:fs';

const BLOCK = 512;
const TYPES = { file: '0', symlink: '2', directory: '5' };

function header({ name, type, mode, linkname = '' }, size) {
  if (Buffer.byteLength(name) > 100 || Buffer.byteLength(linkname) > 100) throw new Error(`the name is too long for the archive: ${name}`);
  const block = Buffer.alloc(BLOCK);
  const octal = (value, length, at) => block.write(`${value.toString(8).padStart(length - 1, '0')}\0`, at);
  block.write(name, 0);
  octal(mode, 8, 100);
  octal(0, 8, 108);
  octal(0, 8, 116);
  octal(size, 12, 124);
  octal(0, 12, 136);
  block.write(TYPES[type], 156);
  block.write(linkname, 157);
  block.write('ustar\x0000', 257);
  block.fill(' ', 148, 156);
  octal(
    block.reduce((sum, byte) => sum + byte, 0),
    7,
    148,
  );
  return block;
}

/**
 * The same entries make the same archive: owners and times are 0, and names are sorted.
 *
 * @param {string} file
 * @param {{ name: string, type: 'file' | 'symlink' | 'directory', mode: number, linkname?: string, content?: Uint8Array }[]} entries
 */
export function writeTar(file, entries) {
  const blocks = [...entries]
    .sort((one, other) => (one.name < other.name ? -1 : 1))
    .flatMap((entry) => {
      const content = entry.content ?? Buffer.alloc(0);
      return [header(entry, content.length), content, Buffer.alloc(-content.length & (BLOCK - 1))];
    });
  writeFileSync(file, Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]));
}
