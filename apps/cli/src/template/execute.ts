import type { FUNCTIONS } from './functions.js';
import type { Node, Operand, Pipeline, Template } from './parse.js';
import { TemplateError } from './template-error.js';
import { formatted, isTrue, Shown, stringOf, typeName, type Value } from './values.js';

/** Maximum depth of nested templates. A template that includes itself would not end. */
const DEPTH = 100;

/**
 * Executes a template (exec.go of text/template). The result is safe to print.
 *
 * @throws TemplateError
 */
export function executeTemplate(template: Template, data: Value, functions: typeof FUNCTIONS): string {
  const execution = new Execution(template, functions);
  execution.walk(template.nodes, data, [{ name: '$', value: data }]);
  return execution.text;
}

interface Variable {
  readonly name: string;
  value: Value;
}

/** How the execution of a list of nodes ended. */
type Flow = 'break' | 'continue' | undefined;

class Execution {
  text = '';
  #depth = 0;
  readonly #template: Template;
  readonly #functions: typeof FUNCTIONS;

  constructor(template: Template, functions: typeof FUNCTIONS) {
    this.#template = template;
    this.#functions = functions;
  }

  walk(nodes: readonly Node[], dot: Value, outer: Variable[]): Flow {
    const variables = [...outer];
    for (const node of nodes) {
      const flow = this.#node(node, dot, variables);
      if (flow) return flow;
    }
    return undefined;
  }

  #node(node: Node, dot: Value, variables: Variable[]): Flow {
    switch (node.kind) {
      case 'text':
        this.text += node.text;
        return undefined;
      case 'action': {
        const value = this.#pipeline(node.pipeline, dot, variables);
        if (!node.pipeline.variables.length) this.text += value === undefined || value === null ? '<no value>' : formatted(value);
        return undefined;
      }
      case 'if':
      case 'with': {
        const inner = [...variables];
        const value = this.#pipeline(node.pipeline, dot, inner);
        if (isTrue(value)) return this.walk(node.body, node.kind === 'with' ? value : dot, inner);
        return this.walk(node.otherwise, dot, inner);
      }
      case 'range':
        return this.#range(node, dot, variables);
      case 'template': {
        const nodes = this.#template.defined.get(node.name);
        if (!nodes) throw new TemplateError(`template '${node.name}' not defined`);
        if (this.#depth >= DEPTH) throw new TemplateError(`exceeded maximum template depth: '${node.name}'`);
        const value = node.pipeline && this.#pipeline(node.pipeline, dot, [...variables]);
        this.#depth++;
        this.walk(nodes, value, [{ name: '$', value }]);
        this.#depth--;
        return undefined;
      }
      default:
        return node.kind;
    }
  }

  #range({ pipeline, body, otherwise }: Extract<Node, { kind: 'if' | 'with' | 'range' }>, dot: Value, variables: Variable[]): Flow {
    const list = this.#pipeline({ ...pipeline, variables: [] }, dot, variables);
    const members = membersOf(list);
    if (!members.length) return this.walk(otherwise, dot, variables);
    for (const [key, value] of members) {
      const inner = [...variables];
      const given = pipeline.variables.length > 1 ? [key, value] : [value];
      for (const [i, name] of pipeline.variables.entries()) set(inner, name, given[i], pipeline.assigns);
      if (this.walk(body, value, inner) === 'break') break;
    }
    return undefined;
  }

  #pipeline({ variables: names, assigns, commands }: Pipeline, dot: Value, variables: Variable[]): Value {
    let value: Value;
    for (const [i, command] of commands.entries()) value = this.#command(command, dot, variables, i ? [value] : []);
    for (const name of names) set(variables, name, value, assigns);
    return value;
  }

  #command([first, ...rest]: readonly Operand[], dot: Value, variables: Variable[], piped: readonly Value[]): Value {
    if (!first) throw new TypeError('a command without operands');
    const args = (): Value[] => [...rest.map((each) => this.#operand(each, dot, variables)), ...piped];
    if (first.kind === 'function') {
      if (first.name === 'and' || first.name === 'or') return this.#shortcut(first.name, rest, dot, variables, piped);
      return (this.#functions[first.name] as (...args: readonly Value[]) => Value)(...args());
    }
    const value = this.#operand(first, dot, variables, true);
    // Methods take plain strings.
    if (typeof value === 'function') return value(...args().map((each) => stringOf(each) ?? each));
    if (rest.length || piped.length) throw new TemplateError(`can't give arguments to a ${typeName(value)}`);
    return value;
  }

  #shortcut(name: 'and' | 'or', rest: readonly Operand[], dot: Value, variables: Variable[], piped: readonly Value[]): Value {
    let value: Value;
    if (!rest.length && !piped.length) throw new TemplateError(`wrong number of args for ${name}: want at least 1`);
    for (const operand of rest) {
      value = this.#operand(operand, dot, variables);
      if (isTrue(value) === (name === 'or')) return value;
    }
    return piped.length ? piped[0] : value;
  }

  #operand(operand: Operand, dot: Value, variables: Variable[], isCalled = false): Value {
    switch (operand.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return undefined;
      case 'literal':
        return typeof operand.value === 'string' ? new Shown(operand.value) : operand.value;
      case 'variable':
        return variables.findLast(({ name }) => name === operand.name)?.value;
      case 'function':
        return this.#command([operand], dot, variables, []);
      case 'pipeline':
        return this.#pipeline(operand.pipeline, dot, [...variables]);
      case 'fields': {
        const value = operand.names.reduce((of, name) => field(typeof of === 'function' ? of() : of, name), this.#operand(operand.of, dot, variables));
        // A method is called when it is an argument or printed.
        return typeof value === 'function' && !isCalled ? value() : value;
      }
    }
  }
}

function set(variables: Variable[], name: string, value: Value, assigns: boolean): void {
  const found = assigns ? variables.findLast((each) => each.name === name) : undefined;
  if (found) found.value = value;
  else variables.push({ name, value });
}

function field(of: Value, name: string): Value {
  if (of === undefined || of === null) throw new TemplateError(`nil has no field .${name}`);
  if (of instanceof Map) return of.get(name);
  if (typeof of === 'object' && !Array.isArray(of) && !(of instanceof Shown) && Object.hasOwn(of, name)) return (of as Readonly<Record<string, Value>>)[name];
  const known = typeof of === 'object' && !Array.isArray(of) && !(of instanceof Shown) ? Object.keys(of).map((each) => `.${each}`) : [];
  throw new TemplateError(
    known.length ? `can't evaluate field .${name}; known fields: ${known.join(' ')}` : `can't evaluate field .${name} in a ${typeName(of)}`,
  );
}

/** Returns the entries of a range: those of a list or a map (sorted by key), or the numbers below a number. */
function membersOf(value: Value): [Value, Value][] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map((each, i) => [i, each]);
  if (value instanceof Map) return [...value].sort(([a], [b]) => (a < b ? -1 : 1));
  if (typeof value === 'number') return Array.from({ length: Math.max(0, Math.trunc(value)) }, (_, i) => [i, i]);
  throw new TemplateError(`range can't iterate over a ${typeName(value)}`);
}
