/** Finds the texts in a source file that people read: its comments, and the messages and hints of its errors. */
import { parseSync } from 'oxc-parser';

/**
 * @param {string} file absolute path
 * @param {string} text what the file contains
 * @returns {{ kind: 'comment' | 'message', offset: number, text: string }[]} with `offset` in UTF-16 units; what is not prose is blanked
 */
export function textsOfSource(file, text) {
  return /\.[ch]$/.test(file) ? commentsOfC(text) : [...commentsOf(file, text), ...messagesOf(file, text)];
}

/** Of a comment each line begins with ` * `; with blanks there the offsets stay what they are. */
const plain = (comment) =>
  comment
    .replace(/^\s*\*(?: @\w+)?/gm, (prefix) => ' '.repeat(prefix.length))
    .replace(/\{@link ([^}|]*)(?:\|([^}]*))?\}/g, (whole) => 'x'.repeat(whole.length))
    .replace(/```[\s\S]*?```/g, (whole) => whole.replace(/[^\n]/g, ' '))
    .replace(/`[^`\n]*`/g, (whole) => 'x'.repeat(whole.length))
    // A tag begins a sentence.
    .replace(/@(?:param|returns|throws|example|see|default|template)\b[^\n]{0,2}/g, (tag) => `${'.'.padEnd(tag.length)}`);

function isProse(comment) {
  return !/biome-ignore|SPDX|@ts-|^\s*eslint|@type\b|<reference/.test(comment);
}

function commentsOf(file, text) {
  const { comments } = parseSync(file, text);
  const joined = [];
  for (const { type, value, start, end } of comments) {
    const before = joined.at(-1);
    // Lines that follow one another are one text.
    if (type === 'Line' && before?.line && /^\s*$/.test(text.slice(before.end, start)) && !/\n\s*\n/.test(text.slice(before.end, start))) {
      before.text += `${text.slice(before.end, start)}  ${value}`;
      before.end = end;
    } else joined.push({ line: type === 'Line', start, end, text: `  ${value}` });
  }
  return joined.filter((each) => isProse(each.text)).map(({ start, text: value }) => ({ kind: 'comment', offset: start, text: plain(value) }));
}

function commentsOfC(text) {
  return [...text.matchAll(/\/\*([\s\S]*?)\*\//g)]
    .filter(([whole]) => isProse(whole))
    .map((found) => ({ kind: 'comment', offset: found.index, text: plain(`  ${found[1]}`) }));
}

/** Names of properties, and places of arguments, that hold a sentence for the user. */
const PROPERTIES = new Set(['message', 'hint', 'summary', 'description', 'detail']);

function messagesOf(file, text) {
  if (/\.test\.ts$|\/test\//.test(file)) return [];
  const { program } = parseSync(file, text);
  const found = [];
  const take = (node) => {
    const inner =
      node?.type === 'ConditionalExpression' ? [node.consequent, node.alternate] : node?.type === 'BinaryExpression' ? [node.left, node.right] : [node];
    for (const each of inner) {
      if (each?.type === 'Literal' && typeof each.value === 'string' && each.value.includes(' '))
        found.push(textAt(each.start + 1, text.slice(each.start + 1, each.end - 1)));
      else if (each?.type === 'TemplateLiteral' && each.quasis.some((quasi) => quasi.value.raw.includes(' ')))
        found.push(
          textAt(
            each.start + 1,
            text.slice(each.start + 1, each.end - 1).replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, (whole) => 'x'.repeat(whole.length)),
          ),
        );
    }
  };
  const textAt = (offset, value) => ({ kind: 'message', offset, text: value.replace(/`[^`\n]*`/g, (whole) => 'x'.repeat(whole.length)).replace(/\\n/g, '  ') });
  walk(program, (node) => {
    if (node.type === 'Property' && PROPERTIES.has(node.key?.name ?? node.key?.value)) take(node.value);
    // make('CODE', 'message', 'hint'), and new XError('CODE', …)
    if ((node.type === 'CallExpression' || node.type === 'NewExpression') && /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/.test(node.arguments[0]?.value ?? ''))
      node.arguments.slice(1).forEach(take);
  });
  return found;
}

function walk(node, visit) {
  if (Array.isArray(node)) for (const each of node) walk(each, visit);
  else if (node && typeof node === 'object' && typeof node.type === 'string') {
    visit(node);
    for (const value of Object.values(node)) if (value && typeof value === 'object') walk(value, visit);
  }
}
