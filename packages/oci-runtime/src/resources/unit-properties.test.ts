import { expect, test } from 'vitest';
import { unitPropertiesOf } from './unit-properties.js';

const one = (name: string, value: string) => unitPropertiesOf({ [`org.systemd.property.${name}`]: value });

test.each([
  ['Description', "'a \\'b\\''", ['Description', 's', "a 'b'"]],
  ['Description', '"text"', ['Description', 's', 'text']],
  ['DefaultDependencies', 'true', ['DefaultDependencies', 'b', 'true']],
  ['CPUWeight', 'uint64 5', ['CPUWeight', 't', '5']],
  ['Nice', '-5', ['Nice', 'i', '-5']],
  ['Ratio', 'double 1.5', ['Ratio', 'd', '1.5']],
  ['TimeoutStopSec', 'uint64 2', ['TimeoutStopUSec', 't', '2000000']],
  ['TimeoutStopSec', 'double 0.5', ['TimeoutStopUSec', 't', '500000']],
  ['TimeoutStopUSec', 'uint64 7', ['TimeoutStopUSec', 't', '7']],
])('%s=%s', (name, value, property) => {
  expect(one(name, value)).toEqual([property]);
});

test('other annotations are left out', () => {
  expect(unitPropertiesOf({ 'com.example.x': 'y', 'org.systemd.property.Nice': '1' })).toEqual([['Nice', 'i', '1']]);
});

test.each([
  ['nice', '1', 'invalid property name'],
  ['A.B', '1', 'invalid property name'],
  ['Nice', "['list']", 'unsupported value'],
  ['Nice', "'open", 'unsupported value'],
  ['Nice', 'luck 1', 'unsupported value'],
])('%s=%s is refused', (name, value, why) => {
  expect(() => one(name, value)).toThrow(
    expect.objectContaining({ code: 'CONFIG_INVALID', message: `annotation org.systemd.property.${name}=${value}: ${why}` }),
  );
});
