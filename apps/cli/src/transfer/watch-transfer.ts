import { type Platform, parsePlatform } from '@lamella/image';
import { boolean, string } from '@oclif/core/flags';
import { UsageError } from '../errors/usage-error.js';
import type { LayerBars, LayerEvent } from '../output/layer-progress.js';
import { stderr, stdout } from '../output/out.js';

/** The flags of commands that use registries. */
export const REGISTRY_FLAGS = {
  'tls-verify': boolean({ default: true, allowNo: true, description: 'Require HTTPS with a valid certificate (except on loopback)' }),
};

export const QUIET_FLAG = boolean({ char: 'q', description: 'Suppress verbose output' });
export const PLATFORM_FLAG = string({ helpValue: 'OS/ARCH[/VARIANT]', description: 'Platform of the image (default: that of this machine)' });

/** Parses the value of `--platform`. @throws UsageError */
export function parsePlatformFlag(text: string | undefined): { platform?: Platform } {
  if (text === undefined) return {};
  try {
    return { platform: parsePlatform(text) };
  } catch (error) {
    throw new UsageError((error as Error).message, 'Use OS/ARCH[/VARIANT], such as linux/arm64/v8.');
  }
}

/** Runs a transfer, and shows its progress as bars on a terminal, or as JSON lines. */
export async function watchTransfer<Result>(
  { json, quiet }: { readonly json: boolean | undefined; readonly quiet: boolean | undefined },
  work: (show: (event: LayerEvent) => void, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController();
  const interrupt = (): void => abort.abort(new UsageError('interrupted', 'No image was changed. The next attempt uses the layers that were downloaded.'));
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
