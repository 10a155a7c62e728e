import { flushCompileCache } from 'node:module';

/** How a command becomes the front of what it starts (see `becomeFront` in @lamella/syscall): `.told` is told what failed. */
export function frontOf(
  title: readonly string[],
  { interactive, debug }: { readonly interactive?: boolean; readonly debug?: boolean },
): { readonly title: string; readonly stdin: boolean; readonly explainer: readonly [string, string]; readonly context: string } {
  return {
    title: ['lamella', ...title].join(' '),
    stdin: interactive === true,
    explainer: [process.argv[1] ?? '', '.told'],
    context: debug ? 'debug' : '',
  };
}

/** What Node would do at its end, which does not come. */
export function last(stop?: () => void): void {
  stop?.();
  flushCompileCache();
}
