#!/usr/bin/env node
/**
 * Writes the TypeScript side of the tables that C includes: src/ops/opcodes.ts from ops/ops.def, and
 * src/ops/mark-names.ts from tree/marks.def.
 *
 *   node tables.mjs            write both files
 *   node tables.mjs --check    exit 1 if a file differs from its table
 *   node tables.mjs --docs     print the reference of ops as Markdown (docs/reference/ops.md)
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const native = import.meta.dirname;
const KINDS = { z: 'text', o: 'text or NULL', b: 'bytes', n: 'bytes or NULL', p: 'program' };

const read = (file) => readFileSync(path.join(native, file), 'utf8');
const unquoted = (text) => JSON.parse(`"${text}"`);

/** The entries of a table: lines outside of comments. An entry that cannot be parsed is an error. */
function entriesOf(file, pattern) {
  return read(file)
    .replace(/\/\*.*?\*\//gs, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const entry = pattern.exec(line);
      if (!entry) throw new Error(`${file}: not an entry: ${line}`);
      return entry.groups;
    });
}

const listOf = (text) =>
  text
    .split(',')
    .map((field) => field.trim())
    .filter(Boolean);

/**
 * Returns the ops in the order of their numbers.
 *
 * @returns {{ name: string, code: number, order: boolean, numbers: { name: string, slot: boolean }[], strings: { name: string, kind: string }[], doc: string }[]}
 */
function readOps() {
  const pattern =
    /^(?<type>OP|ORDER)_ENTRY\((?<code>\d+), (?<name>\w+), \((?<numbers>[^)]*)\), "(?<kinds>[zobnp]*)", \((?<strings>[^)]*)\), "(?<doc>(?:[^"\\]|\\.)+)"\)$/;
  const ops = entriesOf('ops/ops.def', pattern).map(({ type, code, name, numbers, kinds, strings, doc }) => ({
    name,
    code: Number(code),
    order: type === 'ORDER',
    numbers: listOf(numbers).map((field) => ({ name: field.replace(/^slot /, ''), slot: field.startsWith('slot ') })),
    strings: listOf(strings).map((field, i) => ({ name: field, kind: kinds[i] })),
    doc: unquoted(doc),
  }));
  for (const key of ['name', 'code']) if (new Set(ops.map((op) => op[key])).size < ops.length) throw new Error(`ops/ops.def: a ${key} stands there twice`);
  return ops.sort((a, b) => a.code - b.code);
}

const quoted = (names) => `[${names.map((name) => `'${name}'`).join(', ')}]`;

function opcodes(ops) {
  const slots = new Set(ops.flatMap(({ numbers }) => numbers.filter(({ slot }) => slot).map(({ name }) => name)));
  const mixed = ops.flatMap(({ numbers }) => numbers).find(({ name, slot }) => !slot && slots.has(name));
  if (mixed) throw new Error(`ops/ops.def: '${mixed.name}' is a slot in some ops and a number in others`);
  return `/* Generated from native/ops/ops.def by native/tables.mjs: change the table and run it. */
// biome-ignore-all format: each entry is one line, as in the table

/**
 * The shape of an op: its number on the wire, its number fields and its byte-string fields, in order. Fields have the
 * names of the man page. \`kinds\` has a letter for each string: \`z\` text, \`o\` text or NULL, \`b\` bytes, \`n\` bytes or
 * NULL, \`p\` a nested program.
 *
 * A number field whose name is in {@link FD_FIELDS} names a *slot*: 0 to 2 are stdio, \`AT_FDCWD\` is itself, and 5 to
 * 8191 hold the descriptors that ops of the program opened.
 */
export interface OpShape {
  readonly code: number;
  readonly numbers: readonly string[];
  readonly strings: readonly string[];
  readonly kinds: string;
}

/** All ops: their numbers and their fields. */
export const OPCODES = {
${ops
  .map(
    ({ name, code, numbers, strings, doc }) =>
      `  /** ${doc} */\n  ${name}: { code: ${code}, numbers: ${quoted(numbers.map((each) => each.name))}, strings: ${quoted(strings.map((each) => each.name))}, kinds: '${strings.map(({ kind }) => kind).join('')}' },`,
  )
  .join('\n')}
} as const;

/** Number fields that name a slot to read a descriptor from. */
export const FD_FIELDS: ReadonlySet<string> = new Set(${quoted([...slots])});

/** Orders, which only a running monitor obeys; in a program they are refused. */
export type ControlName = ${ops
    .filter(({ order }) => order)
    .map(({ name }) => `'${name}'`)
    .join(' | ')};
export type OpName = Exclude<keyof typeof OPCODES, ControlName>;
`;
}

function markNames() {
  const pattern = /^(?<type>MARK|OWN_ATTRIBUTE|FOREIGN_ATTRIBUTE|OVERLAY_ATTRIBUTE)\((?:(?<name>\w+), )?"(?<text>[^"]*)"(?:, "(?<doc>(?:[^"\\]|\\.)*)")?\)$/;
  const entries = entriesOf('tree/marks.def', pattern);
  const prefixes = (type) => quoted(entries.filter((entry) => entry.type === type).map(({ text }) => text));
  return `/* Generated from native/tree/marks.def by native/tables.mjs: change the table and run it. */
// biome-ignore-all format: each entry is one line, as in the table

${entries
  .filter(({ type }) => type === 'MARK')
  .map(({ name, text, doc }) => `/** ${unquoted(doc)} */\nexport const ${name} = '${text}';`)
  .join('\n')}

/** Prefixes of extended attributes that belong to an object, unless one of the lists below has them. */
export const OWN_ATTRIBUTES: readonly string[] = ${prefixes('OWN_ATTRIBUTE')};
/** Prefixes of labels, measurements, and attributes that a filesystem makes up. */
export const FOREIGN_ATTRIBUTES: readonly string[] = ${prefixes('FOREIGN_ATTRIBUTE')};
/** Prefixes of the marks of overlayfs and of fuse-overlayfs(1). */
export const OVERLAY_ATTRIBUTES: readonly string[] = ${prefixes('OVERLAY_ATTRIBUTE')};
`;
}

/** The text of a table's cell, with links to the manual pages that it names. */
const linked = (doc) =>
  doc
    .replaceAll('|', '\\|')
    .replace(/\b(\w+)\((\d)\)/g, (page, name, section) => `[${page}](https://man7.org/linux/man-pages/man${section}/${name}.${section}.html)`);

/** Returns the reference of ops as Markdown. */
export function opsReference() {
  const row = ({ name, numbers, strings, doc }) => {
    const fields = [
      ...strings.map((each) => `\`${each.name}\` (${KINDS[each.kind]})`),
      ...numbers.map((each) => `\`${each.name}\`${each.slot ? ' (descriptor)' : ''}`),
    ];
    return `| \`${name}\` | ${fields.join(', ') || '-'} | ${linked(doc)} |`;
  };
  const table = (ops) => ['| Name | Arguments | What it does |', '|---|---|---|', ...ops.map(row)].join('\n');
  const ops = readOps();
  return `# Operations

A program for \`lamella-init\` is a list of operations, or ops. Arguments have the names of the man
page. Descriptors are slots: numbers that ops assign with \`out\`.

${table(ops.filter(({ order }) => !order))}

## Orders

Orders are sent to the monitor of a running program. In a program they are refused.

${table(ops.filter(({ order }) => order))}
`;
}

/** Returns the tables' files that differ from what the tables say, after writing them if asked. */
export function staleTables({ write = false } = {}) {
  const files = { '../src/ops/opcodes.ts': opcodes(readOps()), '../src/ops/mark-names.ts': markNames() };
  const current = (file) => {
    try {
      return read(file);
    } catch (error) {
      if (error.code !== 'ENOENT') throw error;
      return '';
    }
  };
  const stale = Object.entries(files).filter(([file, text]) => current(file) !== text);
  if (write) for (const [file, text] of stale) writeFileSync(path.join(native, file), text);
  return stale.map(([file]) => path.relative(path.join(native, '..'), path.join(native, file)));
}

if (import.meta.filename === process.argv[1]) {
  if (process.argv[2] === '--docs') process.stdout.write(opsReference());
  else {
    const check = process.argv[2] === '--check';
    const stale = staleTables({ write: !check });
    if (check && stale.length) {
      console.error(`${stale.join(', ')} differs from the tables in native: run node packages/syscall/native/tables.mjs`);
      process.exitCode = 1;
    }
  }
}
