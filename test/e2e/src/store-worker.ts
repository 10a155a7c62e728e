import type { ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type { TestUser } from './test-user.js';

const ENGINE = createRequire(import.meta.url).resolve('@lamella/engine');

/** What the process says of an order: its outcome, or how it failed. */
export interface Answer<Outcome> {
  readonly value?: Outcome;
  readonly error?: { readonly code?: string; readonly message: string };
}

/** A process of a user that holds a store open and executes requests there. A command for each would take half a second. */
export class StoreWorker implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #answers: AsyncIterator<string>;

  /** @param root absolute path of the store */
  constructor(who: TestUser, root: string) {
    const code = `
      import { createInterface } from 'node:readline';
      const { checkContainers, Containers, ImageStore, sweep } = await import(${JSON.stringify(ENGINE)});
      const root = ${JSON.stringify(root)};
      const store = new ImageStore(root), containers = new Containers(root);
      for await (const line of createInterface({ input: process.stdin })) {
        const answer = await (async () => eval('(async () => {' + JSON.parse(line) + '})()'))().then(
          (value) => ({ value }),
          (error) => ({ error: { code: error.code, message: error.stack } }),
        );
        process.stdout.write(JSON.stringify(answer) + '\\n');
      }`;
    this.#child = who.spawn(process.execPath, ['--input-type=module', '-e', code]);
    const { stdout } = this.#child;
    if (!stdout) throw new Error('it has no output');
    this.#answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  }

  /** Do something there. @param body of an async function that finds `store`, `containers`, `root`, `sweep` and `checkContainers` */
  async ask<Outcome = unknown>(body: string): Promise<Answer<Outcome>> {
    this.#child.stdin?.write(`${JSON.stringify(body)}\n`);
    const { value, done } = await this.#answers.next();
    if (done) throw new Error('the process ended');
    return JSON.parse(value) as Answer<Outcome>;
  }

  /** The same where it has to succeed. */
  async get<Outcome = unknown>(body: string): Promise<Outcome> {
    const { value, error } = await this.ask<Outcome>(body);
    if (error) throw new Error(`${body}: ${error.message}`);
    return value as Outcome;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    await new Promise<void>((resolve) =>
      this.#child.exitCode === null && this.#child.signalCode === null ? this.#child.once('exit', () => resolve()) : resolve(),
    );
  }
}
