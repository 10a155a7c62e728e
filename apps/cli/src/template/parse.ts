import { TemplateError } from './template-error.js';
import { type Token, tokensOf } from './tokens.js';

/** An operand of an action (text/template/parse, node.go). */
export type Operand =
  | { readonly kind: 'dot' | 'nil' }
  | { readonly kind: 'literal'; readonly value: string | number | boolean }
  | { readonly kind: 'variable' | 'function'; readonly name: string }
  | { readonly kind: 'pipeline'; readonly pipeline: Pipeline }
  /** Nested fields of an operand. */
  | { readonly kind: 'fields'; readonly of: Operand; readonly names: readonly string[] };

export interface Pipeline {
  /** Variables that get its value: one, or two for `range`. */
  readonly variables: readonly string[];
  /** Whether the variables exist already. */
  readonly assigns: boolean;
  /** Each gets the value of the previous one as its last argument. */
  readonly commands: readonly (readonly Operand[])[];
}

export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipeline: Pipeline }
  | { readonly kind: 'if' | 'with' | 'range'; readonly pipeline: Pipeline; readonly body: readonly Node[]; readonly otherwise: readonly Node[] }
  | { readonly kind: 'template'; readonly name: string; readonly pipeline: Pipeline | undefined }
  | { readonly kind: 'break' | 'continue' };

export interface Template {
  readonly nodes: readonly Node[];
  readonly defined: ReadonlyMap<string, readonly Node[]>;
}

/**
 * Parses a template of Go's text/template.
 *
 * @param functions the names of the known functions
 * @throws TemplateError
 */
export function parseTemplate(source: string, functions: ReadonlySet<string>, { escapes = false }: { readonly escapes?: boolean } = {}): Template {
  return new Parser(tokensOf(source, escapes), functions).parse();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #functions: ReadonlySet<string>;
  readonly #defined = new Map<string, readonly Node[]>();
  #at = 0;
  /** The variables in scope. */
  #variables = ['$'];
  #loops = 0;

  constructor(tokens: readonly Token[], functions: ReadonlySet<string>) {
    this.#tokens = tokens;
    this.#functions = functions;
  }

  parse(): Template {
    const { nodes, end } = this.#list();
    if (end !== undefined) throw new TemplateError(`unexpected {{${end}}}`);
    return { nodes, defined: this.#defined };
  }

  get #token(): Token | undefined {
    return this.#tokens[this.#at];
  }

  #isSign(text: string): boolean {
    const token = this.#token;
    return token?.kind === 'sign' && token.text === text;
  }

  #takeWord(word: string): boolean {
    const token = this.#token;
    if (token?.kind !== 'word' || token.text !== word) return false;
    this.#at++;
    return true;
  }

  #endAction(): void {
    if (this.#token?.kind !== 'end') throw new TemplateError(`unexpected ${this.#shown()}`);
    this.#at++;
  }

  #shown(): string {
    const token = this.#token;
    if (!token || token.kind === 'end') return 'the end of an action';
    return token.kind === 'number' ? String(token.value) : `'${token.kind === 'field' ? '.' : ''}${token.text}'`;
  }

  /** Parses nodes up to `{{end}}` or `{{else}}`, and reads that word. */
  #list(): { readonly nodes: Node[]; readonly end: 'end' | 'else' | undefined } {
    const nodes: Node[] = [];
    for (let token = this.#token; token; token = this.#token) {
      if (token.kind === 'text') {
        this.#at++;
        nodes.push({ kind: 'text', text: token.text });
        continue;
      }
      for (const end of ['end', 'else'] as const) if (this.#takeWord(end)) return { nodes, end };
      nodes.push(...this.#action());
    }
    return { nodes, end: undefined };
  }

  #action(): Node[] {
    for (const kind of ['if', 'with', 'range'] as const) if (this.#takeWord(kind)) return [this.#control(kind)];
    for (const kind of ['break', 'continue'] as const)
      if (this.#takeWord(kind)) {
        if (!this.#loops) throw new TemplateError(`{{${kind}}} outside {{range}}`);
        this.#endAction();
        return [{ kind }];
      }
    if (this.#takeWord('define')) return this.#define();
    const isBlock = this.#takeWord('block');
    if (isBlock || this.#takeWord('template')) {
      const name = this.#string();
      const pipeline = this.#token?.kind === 'end' ? undefined : this.#pipeline();
      this.#endAction();
      if (isBlock) this.#defined.set(name, this.#body());
      return [{ kind: 'template', name, pipeline }];
    }
    const pipeline = this.#pipeline();
    this.#endAction();
    return [{ kind: 'action', pipeline }];
  }

  #define(): Node[] {
    const name = this.#string();
    this.#endAction();
    const before = this.#variables;
    this.#variables = ['$'];
    this.#defined.set(name, this.#body());
    this.#variables = before;
    return [];
  }

  #body(): readonly Node[] {
    const { nodes, end } = this.#list();
    if (end !== 'end') throw new TemplateError('unexpected EOF: {{end}} is missing');
    this.#endAction();
    return nodes;
  }

  #string(): string {
    const token = this.#token;
    if (token?.kind !== 'string') throw new TemplateError(`unexpected ${this.#shown()}: expected a name in quotes`);
    this.#at++;
    return token.text;
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    const outside = this.#variables.length;
    const pipeline = this.#pipeline(kind === 'range');
    this.#endAction();
    if (kind === 'range') this.#loops++;
    const { nodes: body, end } = this.#list();
    if (kind === 'range') this.#loops--;
    let otherwise: readonly Node[] = [];
    if (end === 'else') {
      // `else if` is an if inside the else, with the same end.
      const again = (['if', 'with'] as const).find((each) => kind !== 'range' && this.#takeWord(each));
      if (again) otherwise = [this.#control(again)];
      else {
        this.#endAction();
        otherwise = this.#body();
      }
    } else if (end === 'end') this.#endAction();
    else throw new TemplateError(`unexpected EOF: the {{end}} of {{${kind}}} is missing`);
    this.#variables.length = outside;
    return { kind, pipeline, body, otherwise };
  }

  #pipeline(isRange = false): Pipeline {
    const { variables, assigns } = this.#declared(isRange);
    const commands: Operand[][] = [];
    do {
      const command = this.#command();
      const [first] = command;
      if (!first) throw new TemplateError('missing value for command');
      if (commands.length && first.kind !== 'function' && first.kind !== 'fields' && first.kind !== 'variable')
        throw new TemplateError('non executable command in pipeline');
      commands.push(command);
    } while (this.#isSign('|') && ++this.#at);
    this.#variables.push(...(assigns ? [] : variables));
    return { variables, assigns, commands };
  }

  #declared(isRange: boolean): { readonly variables: readonly string[]; readonly assigns: boolean } {
    const variables: string[] = [];
    let ahead = this.#at;
    for (;;) {
      const token = this.#tokens[ahead];
      const sign = this.#tokens[ahead + 1];
      if (token?.kind !== 'variable' || sign?.kind !== 'sign' || ![':=', '=', ','].includes(sign.text)) return { variables: [], assigns: false };
      variables.push(token.text);
      ahead += 2;
      if (sign.text === ',') {
        if (!isRange || variables.length > 1) throw new TemplateError('too many declarations: only {{range}} takes two variables');
        continue;
      }
      this.#at = ahead;
      const assigns = sign.text === '=';
      const unknown = assigns ? variables.find((each) => !this.#variables.includes(each)) : undefined;
      if (unknown !== undefined) throw new TemplateError(`undefined variable ${unknown}`);
      return { variables, assigns };
    }
  }

  #command(): Operand[] {
    const operands: Operand[] = [];
    for (;;) {
      const operand = this.#operand();
      if (!operand) return operands;
      operands.push(operand);
    }
  }

  #operand(): Operand | undefined {
    const token = this.#token;
    if (!token) throw new TemplateError('unclosed action');
    if (token.kind === 'field') return this.#fields({ kind: 'dot' }, true);
    const operand = this.#term(token);
    return operand && this.#fields(operand, false);
  }

  /** Parses fields that follow an operand without a space. */
  #fields(of: Operand, first: boolean): Operand {
    const names: string[] = [];
    for (let token = this.#token; token?.kind === 'field' && ((first && !names.length) || !token.spaced); token = this.#token) {
      names.push(token.text);
      this.#at++;
    }
    if (!names.length) return of;
    if (of.kind === 'literal' || of.kind === 'nil') throw new TemplateError(`unexpected .${names[0]} after a constant`);
    return { kind: 'fields', of, names };
  }

  #term(token: Token): Operand | undefined {
    switch (token.kind) {
      case 'string':
        this.#at++;
        return { kind: 'literal', value: token.text };
      case 'number':
        this.#at++;
        return { kind: 'literal', value: token.value };
      case 'variable':
        if (!this.#variables.includes(token.text)) throw new TemplateError(`undefined variable ${token.text}`);
        this.#at++;
        return { kind: 'variable', name: token.text };
      case 'word':
        this.#at++;
        if (token.text === 'true' || token.text === 'false') return { kind: 'literal', value: token.text === 'true' };
        if (token.text === 'nil') return { kind: 'nil' };
        if (!this.#functions.has(token.text)) throw new TemplateError(`function '${token.text}' not defined`);
        return { kind: 'function', name: token.text };
      case 'sign': {
        if (token.text === '.') {
          this.#at++;
          return { kind: 'dot' };
        }
        if (token.text !== '(') return undefined;
        this.#at++;
        const pipeline = this.#pipeline();
        if (!this.#isSign(')')) throw new TemplateError(`unexpected ${this.#shown()}: a ) is missing`);
        this.#at++;
        return { kind: 'pipeline', pipeline };
      }
      default:
        return undefined;
    }
  }
}
