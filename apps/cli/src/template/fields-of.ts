import type { Node, Operand, Pipeline, Template } from './parse.js';

/** Returns the fields of its data that a template uses, as far as they are known without executing it. */
export function fieldsOf({ nodes }: Template): ReadonlySet<string> {
  const found = new Set<string>();
  const operand = (each: Operand, atRoot: boolean): void => {
    if (each.kind === 'pipeline') pipeline(each.pipeline, atRoot);
    if (each.kind !== 'fields') return;
    const [name] = each.names;
    const isRoot = (each.of.kind === 'dot' && atRoot) || (each.of.kind === 'variable' && each.of.name === '$');
    if (isRoot && name !== undefined) found.add(name);
    else operand(each.of, atRoot);
  };
  const pipeline = ({ commands }: Pipeline, atRoot: boolean): void => {
    for (const command of commands) for (const each of command) operand(each, atRoot);
  };
  const walk = (list: readonly Node[], atRoot: boolean): void => {
    for (const node of list) {
      if ('pipeline' in node && node.pipeline) pipeline(node.pipeline, atRoot);
      if (!('body' in node)) continue;
      walk(node.body, atRoot && node.kind === 'if');
      walk(node.otherwise, atRoot);
    }
  };
  walk(nodes, true);
  return found;
}
