import type { UnitProperty } from '@lamella/cgroup';
import { OciError } from '../errors/oci-error.js';

const PREFIX = 'org.systemd.property.';
const NUMBERS: Readonly<Record<string, string>> = { byte: 'y', int16: 'n', uint16: 'q', int32: 'i', uint32: 'u', int64: 'x', uint64: 't', double: 'd' };

/**
 * Properties of a container's unit that its annotations ask for, as runc has them: `org.systemd.property.NAME`, whose value is in
 * the text format of GVariant. What ends in `Sec` is in seconds, and given to systemd in microseconds.
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
          hint: "Write a text as 'text', a number as uint64 5, and true or false.",
        });
      };
      if (!/^[A-Z][A-Za-z0-9]*$/.test(name)) fail('that is not the name of a property');
      const quoted = /^'((?:[^'\\]|\\.)*)'$|^"((?:[^"\\]|\\.)*)"$/.exec(text);
      if (quoted) return [name, 's', (quoted[1] ?? quoted[2] ?? '').replace(/\\(.)/g, '$1')];
      if (text === 'true' || text === 'false') return [name, 'b', text];
      const [, type = 'int32', number] = /^(?:([a-z]+\d*) )?(-?\d+(?:\.\d+)?)$/.exec(text) ?? [];
      const signature = NUMBERS[type];
      if (number === undefined || !signature) return fail('its value is none that is understood here');
      if (name.endsWith('Sec') && !name.endsWith('USec')) return [name.replace(/Sec$/, 'USec'), 't', String(Math.round(Number(number) * 1e6))];
      return [name, signature, number];
    });
}
