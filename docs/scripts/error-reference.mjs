import { globSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSync } from 'oxc-parser';
import { errorCodes } from '../../scripts/error-codes.mjs';

const CODE = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+$/;

/** Returns the page of all error codes: the meaning of each, and the messages and hints that the sources give it. */
export function errorReference(root) {
  const sections = errorCodes(root).map(({ directory, errorClass, codes }) => {
    const messages = messagesIn(root, errorClass === 'OPTION' ? 'packages/syscall' : directory);
    const entries = [...codes]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([code, meaning]) => {
        const cases = [...(messages.get(code) ?? [])].map(([message, hint]) => `- ${escaped(message)}${hint ? `\n\n  ${escaped(hint)}` : ''}`);
        return [`### ${code}`, escaped(meaning), ...(cases.length ? [cases.join('\n')] : [])].join('\n\n');
      });
    const { name } = JSON.parse(readFileSync(path.join(root, directory, 'package.json'), 'utf8'));
    const title = errorClass === 'OPTION' ? 'Options of any function' : `${errorClass} of ${name}`;
    return `## ${title}\n\n${entries.join('\n\n')}`;
  });
  const head = 'Each error has a code, a message, and mostly a hint. Words in capitals stand for what differs.';
  return { 'errors.md': `# Errors\n\n${head}\n\n${sections.join('\n\n')}\n` };
}

/** Returns the messages that the sources of a package give each code, with their hints. */
function messagesIn(root, directory) {
  const codes = new Map();
  for (const source of globSync(`${directory}/src/**/*.ts`, { cwd: root }).filter((each) => !each.includes('.test.')))
    for (const { code, message, hint } of errorsIn(path.join(root, source))) {
      const known = codes.get(code) ?? codes.set(code, new Map()).get(code);
      if (message) known.set(message, hint);
    }
  return codes;
}

const escaped = (text) => text.replace(/[<>{}*_|[\]]/g, (each) => `&#${each.charCodeAt(0)};`);

/** Errors are made as `{ code, message, hint }`, or by a function of the place: `make('CODE', message, hint)`. */
function* errorsIn(file) {
  const text = readFileSync(file, 'utf8');
  const nodes = [];
  collect(parseSync(file, text).program, nodes);
  for (const node of nodes) {
    if (node.type === 'ObjectExpression') {
      const of = (key) => node.properties.find((each) => each.key?.name === key)?.value;
      if (CODE.test(of('code')?.value ?? '')) yield { code: of('code').value, message: wordsOf(of('message'), text), hint: wordsOf(of('hint'), text) };
    } else if (CODE.test(node.arguments[0]?.value ?? '') && node.arguments.length > 1)
      yield { code: node.arguments[0].value, message: wordsOf(node.arguments[1], text), hint: wordsOf(node.arguments[2], text) };
  }
}

/** What a literal says; what is put into a template stands there in capitals, by its last name. */
function wordsOf(node, text) {
  if (node?.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node?.type !== 'TemplateLiteral') return undefined;
  return node.quasis
    .map(({ value }, i) => {
      const expression = node.expressions[i];
      if (!expression) return value.cooked;
      const [name = 'VALUE'] = text.slice(expression.start, expression.end).match(/[a-zA-Z]+(?=[^a-zA-Z]*$)/) ?? [];
      return `${value.cooked}${name.toUpperCase()}`;
    })
    .join('');
}

function collect(node, into) {
  if (Array.isArray(node)) for (const each of node) collect(each, into);
  else if (node && typeof node === 'object' && typeof node.type === 'string') {
    if (['ObjectExpression', 'CallExpression', 'NewExpression'].includes(node.type)) into.push(node);
    for (const value of Object.values(node)) if (value && typeof value === 'object') collect(value, into);
  }
}
