import type { Program } from '../ops/op.js';
import { bytesOf } from '../text/byte-text.js';
import { type FrameLayout, FrameWriter } from '../wire/encode.js';

/** What a hole is filled with, as the launcher knows it (native/launch/fill.c). */
const HOLE = {
  /** The id of the container. */
  ID: 1,
  /** The name it is given. */
  NAME: 2,
  /** The time of its creation (ISO 8601, 24 bytes). */
  TIME: 3,
  /** The words of the command, with a NUL between them. */
  WORDS: 4,
  /** The same as strings of JSON, without the first and the last quote. */
  WORDS_JSON: 5,
  /** The first word. */
  FIRST: 6,
  /** A number of 64 bits that grows by each word after the first. */
  COUNT: 7,
  /** The words with a space between them. */
  WORDS_TITLE: 8,
  /** The checksum of a sealed text (text/sealed-text.ts) that begins at `from`. */
  SUM: 9,
  /** The height of the terminal, as a number of 64 bits. */
  ROWS: 10,
  /** Its width. */
  COLUMNS: 11,
  /** The height in digits. */
  ROWS_TEXT: 12,
  /** The width in digits. */
  COLUMNS_TEXT: 13,
  /** The seconds of the time, in digits. */
  SECONDS_TEXT: 14,
  /** The rest of the time, in nanoseconds, in digits. */
  NANOSECONDS_TEXT: 15,
} as const;

/** A place in the bytes of a template that is filled anew for each run. */
export interface Hole {
  readonly kind: (typeof HOLE)[keyof typeof HOLE];
  readonly at: number;
  readonly length: number;
  /** Of a checksum: where its text begins. */
  readonly from: number;
}

/** Bytes with holes, in order, and the fields with lengths that change with what fills them. */
export interface Template {
  readonly bytes: Buffer;
  readonly holes: readonly Hole[];
  readonly lengths: FrameLayout['lengths'];
}

/** What fills the holes of a template: what two runs of one command line do not share. */
export interface Filling {
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly words: readonly string[];
  readonly rows: number;
  readonly columns: number;
}

/** What stands in the holes when a template is made. Each is found nowhere else. */
export const HOLE_MARKS: Filling = {
  id: 'f00d1a3e11a0',
  name: 'zzz_lamella_zzz',
  created: '1971-02-03T04:05:06.789Z',
  words: ['zzzlamellawordzzz'],
  rows: 61_234,
  columns: 61_235,
};
/** A first word with a slash is a path, and is not looked for in PATH. */
export const HOLE_MARKS_WITH_SLASH: Filling = { ...HOLE_MARKS, words: ['/zzzlamellawordzzz'] };
/** No words: the image has the command. */
export const HOLE_MARKS_WITHOUT_WORDS: Filling = { ...HOLE_MARKS, words: [] };

/** Returns the template of a program that was planned with the marks. @throws TemplateError */
export function templateOfProgram(program: Program, marks: Filling): Template {
  const writer = new FrameWriter();
  const layout: FrameLayout = { lengths: [], arguments: [], paths: [], sizes: [] };
  writer.layout = layout;
  for (const op of program) writer.op(op);
  const bytes = Buffer.from(writer.written());
  return templateOf(bytes, marks, layout);
}

/** Returns the template of a text. @throws TemplateError */
export function templateOfText(text: string, marks: Filling, title = false): Template {
  return templateOf(Buffer.from(bytesOf(text)), marks, undefined, title);
}

/** The bytes depend on the marks in a way that no hole describes. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

function templateOf(bytes: Buffer, marks: Filling, layout: FrameLayout | undefined, title = false): Template {
  const holes: Hole[] = [
    ...everywhere(bytes, marks.id, HOLE.ID),
    ...everywhere(bytes, marks.name, HOLE.NAME),
    ...everywhere(bytes, marks.created, HOLE.TIME),
    ...(marks.words[0] === undefined ? [] : words(bytes, marks.words[0], layout, title)),
    ...sums(bytes),
    ...(layout?.sizes ?? [])
      .filter(({ name, at }) => bytes.readBigInt64LE(at) === BigInt(marks[name]))
      .map(({ name, at }): Hole => ({ kind: name === 'rows' ? HOLE.ROWS : HOLE.COLUMNS, at, length: 8, from: 0 })),
    ...after(bytes, '"time":', secondsOf(marks.created), HOLE.SECONDS_TEXT),
    ...after(bytes, '"timeNs":', nanosecondsOf(marks.created), HOLE.NANOSECONDS_TEXT),
    ...after(bytes, '"rows":', String(marks.rows), HOLE.ROWS_TEXT),
    ...after(bytes, '"columns":', String(marks.columns), HOLE.COLUMNS_TEXT),
  ].toSorted((a, b) => a.at - b.at);
  for (const [i, hole] of holes.entries()) {
    const next = holes[i + 1];
    if (next && hole.at + hole.length > next.at) throw new TemplateError('two holes overlap');
  }
  const isCovered = ({ from, to }: { from: number; to: number }): boolean => holes.some(({ at, length }) => at >= from && at + length <= to);
  return { bytes, holes, lengths: (layout?.lengths ?? []).filter(isCovered) };
}

function* find(bytes: Buffer, mark: string): Generator<number> {
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) yield at;
}

function everywhere(bytes: Buffer, mark: string, kind: Hole['kind']): Hole[] {
  return [...find(bytes, mark)].map((at) => ({ kind, at, length: mark.length, from: 0 }));
}

function secondsOf(created: string): string {
  return String(Math.floor(Date.parse(created) / 1000));
}

function nanosecondsOf(created: string): string {
  return String((Date.parse(created) % 1000) * 1e6);
}

function after(bytes: Buffer, name: string, mark: string, kind: Hole['kind']): Hole[] {
  return everywhere(bytes, name + mark, kind).map((hole) => ({ ...hole, at: hole.at + name.length, length: mark.length }));
}

const QUOTE = 0x22;

function words(bytes: Buffer, mark: string, layout: FrameLayout | undefined, title: boolean): Hole[] {
  const { length } = mark;
  const counts = (layout?.arguments ?? []).filter(({ from, to }) => bytes.subarray(from, to).includes(mark));
  const found = [...find(bytes, mark)].map((at): Hole => {
    const isWithin = ({ from, to }: { from: number; to: number }): boolean => at >= from && at + length <= to;
    if (layout?.arguments.some(isWithin)) return { kind: HOLE.WORDS, at, length, from: 0 };
    if (layout?.paths.some((each) => isWithin(each) && at + length === each.to)) return { kind: HOLE.FIRST, at, length, from: 0 };
    if (title) return { kind: HOLE.WORDS_TITLE, at, length, from: 0 };
    if (bytes[at - 1] === QUOTE && bytes[at + length] === QUOTE) return { kind: HOLE.WORDS_JSON, at, length, from: 0 };
    throw new TemplateError(`the command stands in an unexpected place, at ${at}`);
  });
  return [...found, ...counts.map(({ count }): Hole => ({ kind: HOLE.COUNT, at: count, length: 8, from: 0 }))];
}

const SUM = ',"sum":"';
const SUM_DIGITS = 8;

/** The checksums of sealed objects. An object begins in the same string, with the version of a container's config. */
function sums(bytes: Buffer): Hole[] {
  return [...find(bytes, SUM)].flatMap((at): Hole[] => {
    const end = at + SUM.length + SUM_DIGITS;
    if (bytes[end] !== QUOTE) return [];
    const from = bytes.lastIndexOf('{"version":', at);
    if (from < 0) throw new TemplateError('a checksum has no text');
    return [{ kind: HOLE.SUM, at: at + SUM.length, length: SUM_DIGITS, from }];
  });
}

/** Returns the bytes of a template with its holes filled, as the launcher does it. */
export function fillTemplate({ bytes, holes, lengths }: Template, filling: Filling): Buffer {
  const parts: Buffer[] = [];
  let [read, written] = [0, 0];
  const moved: { readonly end: number; readonly by: number }[] = [];
  const positionOf = (at: number): number => at + moved.reduce((sum, { end, by }) => (end <= at ? sum + by : sum), 0);
  const push = (part: Buffer): void => {
    parts.push(part);
    written += part.length;
  };
  for (const hole of holes) {
    push(bytes.subarray(read, hole.at));
    const before = written;
    push(hole.kind === HOLE.SUM ? sumOf(Buffer.concat(parts).subarray(positionOf(hole.from), before - SUM.length)) : contentOf(hole, bytes, filling));
    moved.push({ end: hole.at + hole.length, by: written - before - hole.length });
    read = hole.at + hole.length;
  }
  push(bytes.subarray(read));
  const filled = Buffer.concat(parts);
  for (const { at, from, to } of lengths) filled.writeUInt32LE(positionOf(to) - positionOf(from), positionOf(at));
  return filled;
}

function contentOf({ kind, at }: Hole, bytes: Buffer, { id, name, created, words, rows, columns }: Filling): Buffer {
  const text = (joined: string): Buffer => Buffer.from(bytesOf(joined));
  const number = (value: bigint): Buffer => {
    const field = Buffer.alloc(8);
    field.writeBigInt64LE(value);
    return field;
  };
  switch (kind) {
    case HOLE.ID:
      return text(id);
    case HOLE.NAME:
      return text(name);
    case HOLE.TIME:
      return text(created);
    case HOLE.WORDS:
      return text(words.join('\0'));
    case HOLE.WORDS_JSON:
      return text(words.map((each) => JSON.stringify(each).slice(1, -1)).join('","'));
    case HOLE.FIRST:
      return text(words[0] ?? '');
    case HOLE.WORDS_TITLE:
      return text(words.join(' '));
    case HOLE.COUNT:
      return number(bytes.readBigInt64LE(at) + BigInt(words.length - 1));
    case HOLE.ROWS:
      return number(BigInt(rows));
    case HOLE.COLUMNS:
      return number(BigInt(columns));
    case HOLE.SECONDS_TEXT:
      return text(secondsOf(created));
    case HOLE.NANOSECONDS_TEXT:
      return text(nanosecondsOf(created));
    case HOLE.ROWS_TEXT:
      return text(String(rows));
    case HOLE.COLUMNS_TEXT:
      return text(String(columns));
    default:
      throw new TypeError(`no hole has the kind ${kind}`);
  }
}

/** The checksum of a sealed text (text/sealed-text.ts), whose closing brace comes after the checksum. */
function sumOf(bytes: Buffer): Buffer {
  const text = `${bytes.toString()}}`;
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return Buffer.from((hash >>> 0).toString(16).padStart(SUM_DIGITS, '0'));
}
