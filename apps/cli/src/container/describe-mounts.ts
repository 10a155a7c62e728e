import type { RunSpec, Volume } from '@lamella/engine';

/** Returns the mounts of a container, as Docker lists them. */
export function describeMounts({ volumes = [], anonymousVolumes = [], tmpfs = [] }: RunSpec): readonly Record<string, unknown>[] {
  return [
    ...volumes.map((volume) => ({
      Type: 'bind',
      Source: volume.source,
      Destination: volume.destination,
      Mode: modeOf(volume),
      RW: !volume.readonly,
      Propagation: volume.propagation === 'slave' ? 'rslave' : 'rprivate',
    })),
    ...anonymousVolumes.map((destination) => ({
      Type: 'volume',
      Name: '',
      Source: '',
      Destination: destination,
      Driver: '',
      Mode: '',
      RW: true,
      Propagation: '',
    })),
    ...tmpfs.map(({ destination, readonly = false }) => ({ Type: 'tmpfs', Source: '', Destination: destination, Mode: '', RW: !readonly, Propagation: '' })),
  ];
}

/** Returns the option of -v. */
export function modeOf({ readonly = false, overlay, idmap }: Volume): string {
  return [readonly ? 'ro' : 'rw', ...(overlay ? ['overlay'] : []), ...(idmap ? ['idmap'] : [])].join(',');
}
