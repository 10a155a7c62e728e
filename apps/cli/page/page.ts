/** The page of `lamella changes --web`: shows the changes of the server as a tree, and sends the decision. */
export {};

interface State {
  readonly type: string;
  readonly mode: string;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly target?: string;
}

interface Change {
  readonly kind: 'added' | 'modified' | 'deleted';
  readonly path: string;
  readonly type: string;
  readonly aspects?: readonly string[];
  readonly before?: State;
  readonly after?: State;
  /** Whether it can be applied to the host. */
  readonly applies: boolean;
}

interface Listing {
  readonly container: string;
  readonly canApply: boolean;
  readonly changes: readonly Change[];
}

interface Line {
  readonly number: number;
  readonly text: string;
}

type Difference =
  | { readonly kind: 'text'; readonly hunks: readonly (readonly { readonly before: Line | null; readonly after: Line | null }[])[] }
  | { readonly kind: 'other'; readonly reason: keyof typeof REASONS };

interface Outcome {
  readonly said: string;
  readonly ended: boolean;
}

interface Failure {
  readonly error: { readonly code?: string; readonly message: string; readonly hint?: string };
}

/** An entry of the tree: a change, or a directory above changes. */
interface Node {
  readonly name: string;
  readonly path: string;
  readonly depth: number;
  readonly parent: Node | undefined;
  readonly children: Map<string, Node>;
  change: Change | undefined;
  open: boolean;
}

const REASONS = {
  binary: 'The content is binary, or too large to show.',
  same: 'The content is the same. The other differences are listed above.',
  'no-content': 'No content to compare.',
  'too-different': 'The two versions have too little in common to compare.',
} as const;
/** A larger tree starts closed. */
const OPEN_MAX = 400;

let listing: Listing = { container: '', canApply: false, changes: [] };
let root = nodeOf('', undefined);
let shown: Change | undefined;
const chosen = new Set<Change>();

function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<HTMLElementTagNameMap[Name]> = {},
  ...children: (globalThis.Node | string)[]
): HTMLElementTagNameMap[Name] {
  const made = Object.assign(document.createElement(name), properties);
  if (properties.textContent) made.textContent = visible(properties.textContent);
  if (properties.title) made.title = visible(properties.title);
  made.append(...children.map((child) => (typeof child === 'string' ? visible(child) : child)));
  return made;
}

/** Escapes invisible characters and those that change the direction of text, except tabs, because names and content are untrusted. */
function visible(text: string): string {
  return text.replace(/(?!\t)[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]|(?![\u00ad\u200c\u200d])\p{Cf}/gu, (character) =>
    [...Array(character.length).keys()].map((i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`).join(''),
  );
}

function found<Found extends HTMLElement>(id: string): Found {
  return document.getElementById(id) as Found;
}

function nodeOf(name: string, parent: Node | undefined): Node {
  const path = parent ? `${parent.path === '/' ? '' : parent.path}/${name}` : '/';
  return { name, path, depth: parent ? parent.depth + 1 : -1, parent, children: new Map(), change: undefined, open: false };
}

function treeOf(changes: readonly Change[]): Node {
  const top = nodeOf('', undefined);
  for (const change of changes) {
    let at = top;
    for (const name of change.path.split('/').filter(Boolean)) {
      let child = at.children.get(name);
      if (!child) {
        child = nodeOf(name, at);
        at.children.set(name, child);
      }
      at = child;
    }
    at.change = change;
  }
  return top;
}

function* under(node: Node): Generator<Change> {
  if (node.change) yield node.change;
  for (const child of node.children.values()) yield* under(child);
}

function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let unit = 0;
  let value = count;
  for (; value >= 1000 && unit < units.length - 1; unit++) value /= 1000;
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

function growthOf(changes: Iterable<Change>): { counts: Record<Change['kind'], number>; more: number; less: number } {
  const counts = { added: 0, modified: 0, deleted: 0 };
  let [more, less] = [0, 0];
  for (const { kind, before, after } of changes) {
    counts[kind]++;
    const growth = (after?.size ?? 0) - (before?.size ?? 0);
    if (growth > 0) more += growth;
    else less -= growth;
  }
  return { counts, more, less };
}

function sizes({ more, less }: { more: number; less: number }): string {
  return [more ? `+${bytes(more)}` : '', less ? `−${bytes(less)}` : ''].filter(Boolean).join(' ');
}

/** Opens small directories, and those with deletions. */
function openSome(node: Node, all: boolean): boolean {
  let deletion = node.change?.kind === 'deleted';
  let below = false;
  for (const child of node.children.values()) below = openSome(child, all) || below;
  node.open = all || below;
  deletion ||= below;
  return deletion;
}

function matching(node: Node, filter: string): boolean {
  if (!filter) return true;
  return [...under(node)].some(({ path }) => path.toLowerCase().includes(filter));
}

function drawTree(): void {
  const filter = found<HTMLInputElement>('filter').value.trim().toLowerCase();
  const tree = found('tree');
  tree.replaceChildren(...rows(root, filter));
  drawSum();
}

function rows(node: Node, filter: string): HTMLDivElement[] {
  return [...node.children.values()]
    .filter((child) => matching(child, filter))
    .sort((a, b) => Number(b.children.size > 0) - Number(a.children.size > 0) || (a.name < b.name ? -1 : 1))
    .map((child) => item(child, filter));
}

function item(node: Node, filter: string): HTMLDivElement {
  const { change } = node;
  const hasChildren = node.children.size > 0;
  const open = hasChildren && (node.open || filter !== '');
  const all = [...under(node)];
  const picked = all.filter((each) => chosen.has(each)).length;
  const box = element('input', { type: 'checkbox', checked: picked === all.length, indeterminate: picked > 0 && picked < all.length });
  box.disabled = !all.some(({ applies }) => applies);
  box.setAttribute('aria-label', `choose ${node.path}`);
  box.addEventListener('change', () => choose(all, box.checked));
  const twist = element('button', { className: 'twist', textContent: hasChildren ? (open ? '▾' : '▸') : '' });
  if (hasChildren) twist.setAttribute('aria-label', open ? 'close' : 'open');
  else twist.tabIndex = -1;
  const toggle = (): void => {
    node.open = !node.open;
    drawTree();
  };
  twist.addEventListener('click', toggle);
  const name = element('button', {
    className: `name ${change?.kind ?? ''}`,
    title: node.path,
    textContent: `${node.name}${hasChildren || change?.type === 'directory' ? '/' : ''}`,
  });
  name.addEventListener('click', () => (change ? void show(change) : toggle()));
  const sum = element('span', { className: 'sum' });
  const growth = growthOf(all);
  if (hasChildren)
    for (const kind of ['added', 'modified', 'deleted'] as const)
      if (growth.counts[kind])
        sum.append(element('span', { className: kind, textContent: `${{ added: '+', modified: '~', deleted: '−' }[kind]}${growth.counts[kind]}` }));
  const size = sizes(growth);
  if (size) sum.append(element('span', { textContent: size }));
  const kind = element('span', {
    className: `kind ${change?.kind ?? ''}`,
    textContent: change ? change.kind.slice(0, 1).toUpperCase() : '',
    title: change?.kind ?? '',
  });
  const row = element('div', { className: `row${change && change === shown ? ' shown' : ''}` }, twist, box, kind, name, sum);
  row.style.setProperty('--depth', String(node.depth));
  const made = element('div', {}, row);
  made.setAttribute('role', 'treeitem');
  made.dataset.path = node.path;
  if (hasChildren) made.setAttribute('aria-expanded', String(open));
  if (open) {
    const list = element('div', {}, ...rows(node, filter));
    list.setAttribute('role', 'group');
    made.append(list);
  }
  return made;
}

function choose(changes: readonly Change[], on: boolean): void {
  for (const change of changes) {
    if (on && change.applies) chosen.add(change);
    else chosen.delete(change);
  }
  drawTree();
}

function drawSum(): void {
  const { counts, more, less } = growthOf(listing.changes);
  const words = (['added', 'modified', 'deleted'] as const).filter((kind) => counts[kind]).map((kind) => `${counts[kind]} ${kind}`);
  found('tally').textContent = [words.join(', '), sizes({ more, less })].filter(Boolean).join(' · ') || 'No changes.';
  const apply = found<HTMLButtonElement>('apply');
  apply.hidden = !listing.canApply;
  apply.disabled = !chosen.size;
  apply.textContent = chosen.size ? `Apply ${chosen.size} of ${listing.changes.length}` : 'Apply';
  const all = found<HTMLInputElement>('all');
  const able = listing.changes.filter(({ applies }) => applies);
  all.checked = able.length > 0 && chosen.size === able.length;
  all.indeterminate = chosen.size > 0 && chosen.size < able.length;
  all.disabled = !able.length;
}

function factsOf({ before, after, aspects, type }: Change): string {
  const was = (state: State): string =>
    `${state.mode} ${state.uid}:${state.gid}${state.type === 'file' ? ` ${bytes(state.size)}` : ''}${state.target === undefined ? '' : ` → ${state.target}`}`;
  if (before && after)
    return `${before.type === after.type ? type : `${before.type} became ${after.type}`}, ${aspects?.join(', ')} changed: ${was(before)} ⇒ ${was(after)}`;
  const state = after ?? before;
  return state ? `${type}, ${after ? 'new' : 'deleted'}: ${was(state)}` : type;
}

async function show(change: Change): Promise<void> {
  shown = change;
  drawTree();
  found('path').textContent = visible(change.path);
  found('path').className = change.kind;
  found('facts').textContent = visible(factsOf(change));
  const place = found('difference');
  place.replaceChildren();
  const response = await fetch(`/difference?change=${encodeURIComponent(`${change.kind} ${change.path}`)}`);
  // Another change was selected meanwhile.
  if (shown !== change) return;
  if (!response.ok) return place.replaceChildren(await response.text());
  const difference = (await response.json()) as Difference;
  if (difference.kind === 'other') {
    place.textContent = REASONS[difference.reason];
    return;
  }
  const table = element('table');
  for (const hunk of difference.hunks) {
    const body = element('tbody');
    for (const { before, after } of hunk) {
      const same = before && after && before.text === after.text;
      body.append(element('tr', {}, ...cells(before, same ? '' : 'gone'), ...cells(after, same ? '' : 'come')));
    }
    table.append(body);
  }
  place.replaceChildren(table);
}

function cells(line: Line | null, kind: string): HTMLTableCellElement[] {
  return [
    element('td', { className: 'number', textContent: line ? String(line.number) : '' }),
    element('td', { className: `text ${line ? kind : 'none'}`, textContent: line?.text ?? '' }),
  ];
}

function tell(text: string, failed = false, ...more: HTMLElement[]): void {
  const message = found('message');
  message.className = failed ? 'failed' : '';
  message.replaceChildren(text, ...(more.length ? [element('br'), ...more] : []));
  message.hidden = false;
}

async function decide(path: string, body: object = {}): Promise<void> {
  const buttons = [...document.querySelectorAll<HTMLButtonElement>('#actions button')];
  for (const each of buttons) each.disabled = true;
  let outcome: (Outcome & Partial<Listing>) | Failure;
  try {
    const response = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    outcome = (await response.json()) as typeof outcome;
  } catch {
    outcome = { error: { message: 'The server does not answer.', hint: 'Is lamella changes --web still running in its terminal?' } };
  }
  for (const each of buttons) each.disabled = false;
  if ('error' in outcome) {
    const { code, message, hint } = outcome.error;
    const again = (label: string, onConflict: string): HTMLButtonElement => {
      const button = element('button', { type: 'button', textContent: label });
      button.addEventListener('click', () => void decide('/apply', { ...body, onConflict }));
      return button;
    };
    const ways = code === 'APPLY_CONFLICT' ? [again("Use the container's version", 'ours'), again("Use the host's version", 'theirs')] : [];
    tell([message, hint ?? ''].filter(Boolean).map(visible).join('\n'), true, ...ways);
    drawSum();
    return;
  }
  tell(outcome.ended ? `${outcome.said}\nThis page can be closed.` : outcome.said);
  if (outcome.ended) {
    begin({ container: listing.container, canApply: false, changes: [] });
    for (const each of buttons) each.hidden = true;
  } else if (outcome.changes) begin(outcome as unknown as Listing);
}

function begin(list: Listing): void {
  listing = list;
  chosen.clear();
  shown = undefined;
  found('path').textContent = list.changes.length ? 'Select a change to see its difference' : '';
  found('path').className = '';
  found('facts').textContent = '';
  found('difference').replaceChildren();
  found('name').textContent = visible(list.container);
  document.title = `${list.container}: changes`;
  root = treeOf(list.changes);
  openSome(root, list.changes.length <= OPEN_MAX);
  drawTree();
}

found('filter').addEventListener('input', drawTree);
found<HTMLInputElement>('all').addEventListener('change', ({ target }) => choose(listing.changes, (target as HTMLInputElement).checked));
found('apply').addEventListener('click', () => void decide('/apply', { paths: [...chosen].map(({ kind, path }) => `${kind} ${path}`) }));
found('keep').addEventListener('click', () => void decide('/keep'));
found('discard').addEventListener('click', ({ target }) => {
  const button = target as HTMLButtonElement;
  if (button.dataset.sure) {
    void decide('/discard');
    return;
  }
  // Ask again, because this cannot be undone.
  button.dataset.sure = 'yes';
  button.textContent = `Really discard ${listing.changes.length}?`;
  setTimeout(() => {
    delete button.dataset.sure;
    button.textContent = 'Discard all';
  }, 4000);
});

const response = await fetch('/changes');
if (response.ok) begin((await response.json()) as Listing);
else tell(await response.text(), true);
