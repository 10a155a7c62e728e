import type { UnitProperty } from '@lamella/cgroup';
import { OciError } from '../errors/oci-error.js';

const PREFIX = 'org.systemd.property.';
const NUMBERS: Readonly<Record<string, string>> = { byte: 'y', int16: 'n', uint16: 'q', int32: 'i', uint32: 'u', int64: 'x', uint64: 't', double: 'd' };

/**
 * Returns the properties of a container's systemd unit from its annotations `org.systemd.property.NAME`, as runc does. Values are in
 * the text format of GVariant. Names that end in `Sec` have seconds, which systemd gets as microseconds.
 *
 * @throws OciError `CONFIG_INVALID`
 */
export function unitPropertiesOf(annotations: Readonly<Record<string, string>>): UnitProperty[] {
  return Object.entries(annotations)
    .filter(([key]) => key.startsWith(PREFIX))
    .map(([key, text]) => {
      const name = key.slice(PREFIX.length);
      const fail = (why: string): never => {
        throw new OciError({
          code: 'CONFIG_INVALID',
          message: `annotation ${key}=${text}: ${why}`,
          hint: "Use the text format of GVariant: 'text', uint64 5, true or false.",
        });
      };
      if (!/^[A-Z][A-Za-z0-9]*$/.test(name)) fail('invalid property name');
      const quoted = /^'((?:[^'\\]|\\.)*)'$|^"((?:[^"\\]|\\.)*)"$/.exec(text);
      if (quoted) return [name, 's', (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/g, '$1')];
      if (text === 'true' || text === 'false') return [name, 'b', text];
      const [, type = 'int32', number] = /^(?:([a-z]+\d*) )?(-?\d+(?:\.\d+)?)$/.exec(text) ?? [];
      const signature = NUMBERS[type];
      if (number === undefined || !signature) return fail('unsupported value');
      if (name.endsWith('Sec') && !name.endsWith('USec')) return [name.replace(/Sec$/, 'USec'), 't', String(Math.round(Number(number) * 1e6))];
      return [name, signature, number];
    });
}
