import { flushCompileCache } from 'node:module';

/** How a command becomes the front of what it starts (see `becomeFront` in @lamella/syscall): `.front-failure` is told what failed. */
export function frontOptions(
  title: readonly string[],
  { interactive, debug }: { readonly interactive?: boolean; readonly debug?: boolean },
): { readonly title: string; readonly stdin: boolean; readonly explainer: readonly [string, string]; readonly context: string } {
  return {
    title: ['lamella', ...title].join(' '),
    stdin: interactive === true,
    explainer: [process.argv[1] ?? '', '.front-failure'],
    context: debug ? 'debug' : '',
  };
}

/** What Node would do at its end, which does not come. */
export function beforeExit(stop?: () => void): void {
  stop?.();
  flushCompileCache();
}
