import { flushCompileCache } from 'node:module';

/** Returns the options by which a command becomes the front of its container (see `becomeFront` in @lamella/syscall). `.front-failure` reports failures. */
export function frontOptions({ interactive, debug }: { readonly interactive?: boolean; readonly debug?: boolean }): {
  readonly stdin: boolean;
  readonly explainer: readonly [string, string];
  readonly context: string;
} {
  return {
    stdin: interactive === true,
    explainer: [process.argv[1] ?? '', '.front-failure'],
    context: debug ? 'debug' : '',
  };
}

/** Returns the title of a front in ps(1). */
export function frontTitle(words: readonly string[]): string {
  return ['lamella', ...words].join(' ');
}

/** Does what Node does at its exit, because the exec of the front replaces this process. */
export function beforeExit(stop?: () => void): void {
  stop?.();
  flushCompileCache();
}
