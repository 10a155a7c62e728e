import { type Platform, parsePlatform } from '@lamella/image';
import { boolean, string } from '@oclif/core/flags';
import { UsageError } from '../errors/usage-error.js';
import type { LayerBars, LayerEvent } from '../output/layer-progress.js';
import { stderr, stdout } from '../output/out.js';

/** Flags of the commands that talk to registries. */
export const REGISTRY_FLAGS = {
  'tls-verify': boolean({ default: true, allowNo: true, description: 'check certificates, and never speak plain HTTP (loopback may)' }),
};

export const QUIET_FLAG = boolean({ char: 'q', description: 'print only what was asked for' });
export const PLATFORM_FLAG = string({ helpValue: 'OS/ARCH[/VARIANT]', description: 'which image of several (default: this machine)' });

/** What `--platform` says. @throws UsageError */
export function parsePlatformFlag(text: string | undefined): { platform?: Platform } {
  if (text === undefined) return {};
  try {
    return { platform: parsePlatform(text) };
  } catch (error) {
    throw new UsageError((error as Error).message, 'Write OS/ARCHITECTURE[/VARIANT], like linux/arm64/v8.');
  }
}

/** Show a transfer as bars on a terminal, as JSON lines for programs, or not at all. */
export async function watchTransfer<Result>(
  { json, quiet }: { readonly json: boolean | undefined; readonly quiet: boolean | undefined },
  work: (show: (event: LayerEvent) => void, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new UsageError('interrupted', 'The images are what they were; layers that had arrived serve the next attempt.'));
  process.once('SIGINT', interrupt);
  process.once('SIGTERM', interrupt);
  const bars: LayerBars | undefined = !json && !quiet && stderr.isTerminal ? (await import('../output/layer-progress.js')).layerBars() : undefined;
  const show = (event: LayerEvent): void => {
    if (json) stdout.json({ event: 'layer', ...event });
    else bars?.show(event);
  };
  try {
    return await work(show, abort.signal);
  } finally {
    bars?.stop();
    process.off('SIGINT', interrupt);
    process.off('SIGTERM', interrupt);
  }
}
