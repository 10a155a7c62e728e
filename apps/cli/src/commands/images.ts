import { familiarReference, formatReference, ImageStore, type ImageSummary, shortReference } from '@lamella/image';
import { boolean, string } from '@oclif/core/flags';
import { LamellaCommand } from '../command-classes/lamella-command.js';
import { optionalArgument } from '../command-line/arguments.js';
import { filtersOf, hasLabels, oneOf } from '../command-line/filters.js';
import { parseTime } from '../command-line/parse-time.js';
import { formatTime } from '../container/container-row.js';
import { UsageError } from '../errors/usage-error.js';
import { stderr } from '../output/out.js';
import type { Shown } from '../output/printable.js';
import { table } from '../output/table.js';
import { ago, bytes } from '../output/units.js';
import { type Headers, listFormat } from '../template/fill.js';

const KEYS = ['before', 'dangling', 'label', 'reference', 'since', 'until'];

/** The columns by our names, and by Docker's. */
const HEADERS = {
  Name: 'NAME',
  Tag: 'TAG',
  Digest: 'DIGEST',
  Created: 'CREATED',
  Size: 'SIZE',
  Shared: 'SHARED',
  Unique: 'UNIQUE',
  Repository: 'REPOSITORY',
  ID: 'IMAGE ID',
  CreatedSince: 'CREATED',
  CreatedAt: 'CREATED AT',
  SharedSize: 'SHARED SIZE',
  UniqueSize: 'UNIQUE SIZE',
  VirtualSize: 'SIZE',
  Containers: 'CONTAINERS',
} as const satisfies Headers;

const COLUMNS = ['Name', 'Tag', 'Digest', 'Created', 'Size', 'Shared', 'Unique'] as const;

export class Images extends LamellaCommand {
  static override summary = 'List images';
  static override description =
    `SIZE is the size of an image's blobs: SHARED with other images, or UNIQUE to this image. The fields of a Go template are .Name .Tag .Digest .Created .Size .Shared .Unique, and as in Docker .Repository .ID .CreatedSince .CreatedAt .SharedSize .UniqueSize.`;
  static override usage = 'images [OPTIONS] [NAME[:TAG]]';
  static override examples = [
    '<%= config.bin %> images',
    { description: 'List the images of a repository, or by a pattern:', command: "<%= config.bin %> images 'team/*'" },
    { description: 'Print JSON:', command: '<%= config.bin %> images --json' },
    { description: 'Use a template:', command: "<%= config.bin %> images --format '{{.Name}}:{{.Tag}} {{.Size}}'" },
  ];
  static override args = { name: optionalArgument('Only list images with this name, or that match this pattern') };
  static override flags = {
    all: boolean({ char: 'a', description: 'Show all images (always on)' }),
    digests: boolean({ description: 'Show full digests' }),
    filter: string({
      char: 'f',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'KEY=VALUE',
      description: 'Filter output by reference, label, before, since, until or dangling',
    }),
    format: string({ helpValue: 'table [TEMPLATE]|json|TEMPLATE', default: 'table', description: 'Format output as a table, as JSON, or with a template' }),
    'no-trunc': boolean({ description: "Don't truncate output" }),
    quiet: boolean({ char: 'q', description: 'Only show image digests' }),
  };

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Images);
    const store = new ImageStore(this.storeRoot(flags));
    const print = listFormat(flags.format, HEADERS);
    const test = await imageFilter(flags.filter, args.name, store);
    const all = await store.list();
    const usage = new Map((await store.usage()).images.map((each) => [each.name, each]));
    const chosen = await Promise.all(all.map((each) => test(each)));
    const images = all
      .filter((_, i) => chosen[i])
      .map(({ reference, size, ...rest }) => {
        const { shared = 0, unique = size } = usage.get(formatReference(reference)) ?? {};
        return { ...familiarReference(reference), size, shared, unique, ...rest };
      });
    if (!all.length && !flags.json && !flags.quiet)
      stderr.line(`No images in ${store.paths.root}. Download one: lamella pull NAME, or import one: lamella import FILE NAME`);
    for (const { name, tag, damaged } of flags.json ? [] : images)
      if (damaged !== undefined) stderr.line(`lamella: note: ${name}:${tag} is damaged: ${damaged}. Check the store: lamella system check`);
    const whole = flags.digests || flags['no-trunc'];
    const rows = images.map(({ name, tag, digest, created, size, shared, unique }) => {
      const [date, shown] = [created ? new Date(created) : undefined, whole ? digest : digest.slice(7, 19)];
      const [since, sizes] = [date ? ago(date) : '', { size: bytes(size), shared: bytes(shared), unique: bytes(unique) }];
      return {
        ...{ Name: name, Tag: tag, Digest: print ? digest : shown, Created: since, Size: sizes.size, Shared: sizes.shared, Unique: sizes.unique },
        ...{ Repository: name, ID: shown, CreatedSince: since, CreatedAt: date ? formatTime(date) : '' },
        ...{ SharedSize: sizes.shared, UniqueSize: sizes.unique, VirtualSize: sizes.size, Containers: 'N/A' },
      };
    });
    const lines = (): Shown[] => {
      if (flags.quiet) return images.map(({ digest }) => digest);
      if (print) return print(rows);
      return rows.length
        ? table(
            COLUMNS.map((name) => HEADERS[name]),
            rows.map((row) => COLUMNS.map((name) => row[name])),
          )
        : [];
    };
    this.print(flags.json, flags.quiet ? images.map(({ digest }) => digest) : images, lines());
  }
}

/** Returns whether an image passes the filters. @throws UsageError */
async function imageFilter(
  words: readonly string[] | undefined,
  name: string | undefined,
  store: ImageStore,
): Promise<(image: ImageSummary) => Promise<boolean>> {
  const filters = filtersOf(words, KEYS);
  const names = [...(filters.get('reference') ?? []), ...(name === undefined ? [] : [name])];
  const dangling = oneOf('dangling', filters.get('dangling') ?? [], ['true', 'false', '1', '0']);
  const untils = (filters.get('until') ?? []).map((each) => parseTime(each).toISOString());
  const createdOf = async (key: string): Promise<string[]> =>
    Promise.all((filters.get(key) ?? []).map(async (each) => (await store.describe(each)).config.created ?? ''));
  const [before, since] = [await createdOf('before'), await createdOf('since')];
  return async (image) => {
    const created = image.created === undefined ? '' : new Date(image.created).toISOString();
    if (dangling.some((each) => each === 'true' || each === '1')) return false;
    if (names.length && !names.some((each) => isNamed(image, each))) return false;
    if (![...before.map((each) => new Date(each).toISOString()), ...untils].every((each) => created < each)) return false;
    if (!since.every((each) => created > new Date(each).toISOString())) return false;
    const labels = filters.get('label');
    if (!labels) return true;
    const { config } = await store.describe(shortReference(image.reference));
    return hasLabels(config.config?.Labels ?? {}, labels);
  };
}

/** Whether an image has a name, with or without its tag, or matches a pattern. @throws UsageError */
function isNamed({ reference }: ImageSummary, wanted: string): boolean {
  const { name, tag } = familiarReference(reference);
  return [name, `${name}:${tag}`, formatReference(reference)].some((each) => glob(wanted).test(each));
}

/** Returns the expression of a pattern of Go's path.Match: * does not match a slash. */
function glob(text: string): RegExp {
  const source = text.replace(/\[[^\]]*\]|[\\^$.*+?()[\]{}|]/g, (found) => {
    if (found === '*') return '[^/]*';
    if (found === '?') return '[^/]';
    return found.length > 1 ? found : `\\${found}`;
  });
  try {
    return new RegExp(`^${source}$`, 'u');
  } catch {
    throw new UsageError(`invalid pattern '${text}'`, "Use a pattern such as --filter 'reference=team/*'.");
  }
}
