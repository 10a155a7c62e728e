import { homedir } from 'node:os';
import path from 'node:path';
import { parse } from 'smol-toml';
import * as v from 'valibot';
import { ImageError } from '../model/image-error.js';
import { formatReference, parseReference, type Reference } from '../model/reference.js';
import { listOptional, readOptional } from './optional-files.js';

const Mirror = v.looseObject({ location: v.string(), insecure: v.optional(v.boolean()) });
const Registry = v.looseObject({
  prefix: v.optional(v.string()),
  location: v.optional(v.string()),
  insecure: v.optional(v.boolean()),
  blocked: v.optional(v.boolean()),
  mirror: v.optional(v.array(Mirror)),
});
const RegistriesConf = v.looseObject({ registry: v.optional(v.array(Registry)), aliases: v.optional(v.record(v.string(), v.string())) });
type RegistriesConf = v.InferOutput<typeof RegistriesConf>;
type RegistryEntry = v.InferOutput<typeof Registry>;

/** A place where an image may be had. */
export interface Endpoint {
  readonly domain: string;
  readonly repository: string;
  /** False for one that the configuration calls insecure. */
  readonly tlsVerify: boolean;
}

/** The configuration as containers-registries.conf(5) has it: the user's file or the system's, then what is in `.d`. */
function files(): string[] {
  const own = process.env.CONTAINERS_REGISTRIES_CONF;
  if (own) return [own];
  const places = [path.join(process.env.XDG_CONFIG_HOME || path.join(homedir(), '.config'), 'containers'), '/etc/containers'];
  const main = places.map((place) => path.join(place, 'registries.conf')).find((file) => readOptional(file) !== undefined);
  const parts = places.toReversed().flatMap((place) => {
    const directory = path.join(place, 'registries.conf.d');
    return listOptional(directory)
      .filter((name) => name.endsWith('.conf'))
      .sort()
      .map((name) => path.join(directory, name));
  });
  return [...(main ? [main] : []), ...parts];
}

function load(): RegistriesConf[] {
  return files().map((file) => {
    let document: unknown;
    try {
      document = parse(readOptional(file) ?? '');
    } catch (cause) {
      throw new ImageError({
        code: 'REGISTRIES_CONF',
        message: `${file} cannot be read: ${(cause as Error).message.split('\n')[0]}`,
        hint: 'Mend it; see containers-registries.conf(5).',
        cause,
      });
    }
    const parsed = v.safeParse(RegistriesConf, document);
    if (parsed.success) return parsed.output;
    throw new ImageError({
      code: 'REGISTRIES_CONF',
      message: `${file}: ${v.getDotPath(parsed.issues[0]) ?? ''}: ${parsed.issues[0].message}`,
      hint: 'Mend it; see containers-registries.conf(5).',
    });
  });
}

/**
 * Where to look for an image, in order: the mirrors of its registry, then the registry itself.
 *
 * @throws ImageError `REGISTRY_BLOCKED`, `REGISTRIES_CONF`
 */
export function endpointsFor(reference: Reference): readonly Endpoint[] {
  const conf = load();
  const wanted = alias(reference, conf);
  const { domain, path: repository } = wanted;
  const whole = `${domain}/${repository}`;
  // Later files come first, and the longest prefix counts.
  const entries = conf.toReversed().flatMap(({ registry }) => registry ?? []);
  const entry = entries
    .map((each): readonly [RegistryEntry, string] => [each, each.prefix ?? each.location ?? ''])
    .filter(([, prefix]) => matches(whole, prefix))
    .sort(([, a], [, b]) => b.length - a.length)[0];
  if (!entry) return [{ domain, repository, tlsVerify: true }];
  const [found, prefix] = entry;
  if (found.blocked)
    throw new ImageError({
      code: 'REGISTRY_BLOCKED',
      message: `${formatReference(wanted)} may not be fetched: ${prefix} is blocked`,
      hint: 'registries.conf blocks it; ask the administrator of this machine.',
    });
  const at = (location: string, insecure: boolean | undefined): Endpoint => {
    if (/^[a-z]+:\/\//i.test(location))
      throw new ImageError({
        code: 'REGISTRIES_CONF',
        message: `registries.conf has '${location}' for ${prefix}, and a location has no scheme`,
        hint: 'Write HOST[:PORT][/PATH], and insecure = true for one without TLS.',
      });
    const rest = prefix.startsWith('*.') ? whole.slice(whole.indexOf('/')) : whole.slice(prefix.length);
    const [host = '', ...parts] = `${location}${rest}`.split('/');
    return { domain: host, repository: parts.join('/'), tlsVerify: !insecure };
  };
  return [...(found.mirror ?? []).map(({ location, insecure }) => at(location, insecure)), at(found.location ?? prefix, found.insecure)];
}

function alias(reference: Reference, conf: readonly RegistriesConf[]): Reference {
  const short = reference.domain === 'docker.io' && /^library\/([^/]+)$/.exec(reference.path)?.[1];
  const meant = short
    ? conf
        .toReversed()
        .map(({ aliases }) => aliases?.[short])
        .find((each) => each)
    : undefined;
  return meant ? { ...reference, ...pick(parseReference(meant)) } : reference;
}

const pick = ({ domain, path: repository }: Reference): Pick<Reference, 'domain' | 'path'> => ({ domain, path: repository });

/** A host, a host and some path, or `*.` and a domain. */
function matches(whole: string, prefix: string): boolean {
  if (!prefix) return false;
  if (prefix.startsWith('*.')) return (whole.split('/')[0] ?? '').replace(/:\d+$/, '').endsWith(prefix.slice(1));
  return whole === prefix || whole.startsWith(`${prefix}/`);
}
