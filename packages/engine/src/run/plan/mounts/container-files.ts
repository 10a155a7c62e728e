import type { FileMount } from '@lamella/namespace';
import { FILE_BOUNDS, FileError, readOptionalText } from '@lamella/syscall';
import { NAME_SERVER } from '../../../isolation/pasta.js';

/** `/etc/hostname`, `/etc/hosts` and `/etc/resolv.conf`: a container's own, without touching the image or the upper. */
export function containerFiles(hostname: string, network: 'none' | 'host' | 'pasta'): readonly FileMount[] {
  const hosts = network === 'host' ? hostFile('/etc/hosts') : undefined;
  return [
    { type: 'file', destination: '/etc/hostname', content: `${hostname}\n` },
    { type: 'file', destination: '/etc/hosts', content: hosts ?? `127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n127.0.0.1\t${hostname}\n` },
    {
      type: 'file',
      destination: '/etc/resolv.conf',
      content: network === 'pasta' ? forwarded(hostFile('/etc/resolv.conf') ?? '') : (hostFile('/etc/resolv.conf') ?? ''),
    },
  ];
}

/** The host's resolv.conf(5), with pasta's address instead of its name servers: these may be reached by the host only. */
function forwarded(text: string): string {
  const others = text.split('\n').filter((line) => line.trim() && !/^\s*(?:nameserver\b|[#;])/.test(line));
  return [`nameserver ${NAME_SERVER}`, ...others, ''].join('\n');
}

function hostFile(file: string): string | undefined {
  try {
    return readOptionalText(file, FILE_BOUNDS.host);
  } catch (error) {
    if (error instanceof FileError && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'EACCES') return undefined;
    throw error;
  }
}
