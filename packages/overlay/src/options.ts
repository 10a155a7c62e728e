import type { OverlayOptions, OverlayStack } from './stack.js';

/** A path as a value in mount(2)'s option string: `\`, `,` and (between lowers) `:` are escaped. */
export function escapePath(path: string): string {
  return path.replace(/[\\,:]/g, '\\$&');
}

/** The options beside the directories, as `key` or `key=value`. */
export function optionList(options: OverlayOptions = {}): (readonly [key: string, value?: string])[] {
  const list: (readonly [string, string?])[] = [];
  if (options.userxattr) list.push(['userxattr']);
  if (options.index !== undefined) list.push(['index', options.index ? 'on' : 'off']);
  if (options.metacopy !== undefined) list.push(['metacopy', options.metacopy ? 'on' : 'off']);
  if (options.redirect_dir) list.push(['redirect_dir', options.redirect_dir]);
  if (options.xino) list.push(['xino', options.xino]);
  if (options.volatile) list.push(['volatile']);
  return list;
}

/** The whole option string of a stack, for mount(2). */
export function optionString(stack: OverlayStack): string {
  const directories = [`lowerdir=${stack.lowerdirs.map(escapePath).join(':')}`];
  if (stack.upperdir !== undefined) directories.push(`upperdir=${escapePath(stack.upperdir)}`);
  if (stack.workdir !== undefined) directories.push(`workdir=${escapePath(stack.workdir)}`);
  return [...directories, ...optionList(stack.options).map((option) => option.join('='))].join(',');
}
