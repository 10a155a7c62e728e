import { constants } from 'node:os';
import path from 'node:path';
import { ImageError } from '../model/image-error.js';
import type { OciConfig } from '../store/oci-schema.js';

type ProcessConfig = NonNullable<OciConfig['config']>;

const KNOWN = 'CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME and WORKDIR';

/**
 * A config after some lines as `docker commit --change` takes them (Dockerfile reference).
 *
 * @throws ImageError `CONFIG_CHANGE_INVALID`
 */
export function changeConfig(config: ProcessConfig, changes: readonly string[]): ProcessConfig {
  const isOf = (word: string, line: string): boolean => line.trimStart().toUpperCase().startsWith(word);
  // As Docker: what was meant for the entrypoint before is not for a new one; what is said beside that is, in any order.
  const inherited = changes.some((line) => isOf('ENTRYPOINT', line)) ? { ...config, Cmd: undefined } : config;
  return changes.reduce(changed, inherited);
}

function changed(config: ProcessConfig, line: string): ProcessConfig {
  const [, word = '', rest = ''] = /^\s*(\S+)\s*(.*?)\s*$/s.exec(line) ?? [];
  if (!rest) throw invalid(line, `A change is an instruction and its words: ${KNOWN}.`);
  switch (word.toUpperCase()) {
    case 'CMD':
      return { ...config, Cmd: command(line, rest) };
    case 'ENTRYPOINT':
      return { ...config, Entrypoint: command(line, rest) };
    case 'ENV': {
      const env = new Map((config.Env ?? []).map((each) => [each.split('=', 1)[0] ?? '', each]));
      for (const [name, value] of pairs(line, rest)) env.set(name, `${name}=${value}`);
      return { ...config, Env: [...env.values()] };
    }
    case 'LABEL':
      return { ...config, Labels: { ...config.Labels, ...Object.fromEntries(pairs(line, rest)) } };
    case 'EXPOSE':
      return { ...config, ExposedPorts: { ...config.ExposedPorts, ...Object.fromEntries(words(rest).map((each) => [port(line, each), {}])) } };
    case 'VOLUME':
      return { ...config, Volumes: { ...config.Volumes, ...Object.fromEntries((json(line, rest) ?? words(rest)).map((each) => [each, {}])) } };
    case 'USER':
      return { ...config, User: rest };
    case 'STOPSIGNAL':
      if (!isSignal(rest)) throw invalid(line, 'STOPSIGNAL takes a signal, such as SIGTERM or 15.');
      return { ...config, StopSignal: rest };
    case 'WORKDIR':
      return { ...config, WorkingDir: rest.startsWith('/') ? rest : path.posix.resolve('/', config.WorkingDir ?? '', rest) };
    default:
      throw invalid(line, `Known are ${KNOWN}.`);
  }
}

/** A JSON array, or a line for the shell. */
function command(line: string, rest: string): string[] {
  return json(line, rest) ?? ['/bin/sh', '-c', rest];
}

function json(line: string, rest: string): string[] | undefined {
  if (!rest.startsWith('[')) return undefined;
  try {
    const parsed = JSON.parse(rest) as unknown;
    if (Array.isArray(parsed) && parsed.every((each) => typeof each === 'string')) return parsed;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw invalid(line, 'What begins with [ is a JSON array of strings: ["sh", "-c", "true"].');
}

/** `NAME=VALUE…`, where a value may be quoted; or the old form `NAME VALUE`. */
function pairs(line: string, rest: string): (readonly [string, string])[] {
  if (!/^[^\s=]+=/.test(rest)) {
    const [, name = '', value] = /^(\S+)\s+(.+)$/s.exec(rest) ?? [];
    if (value === undefined) throw invalid(line, 'Write NAME=VALUE.');
    return [[name, value]];
  }
  return words(rest).map((word) => {
    const equals = word.indexOf('=');
    if (equals < 1) throw invalid(line, 'Write NAME=VALUE for each.');
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

/** Words as a Dockerfile parts them: quotes and backslashes keep spaces. */
function words(text: string): string[] {
  return [...text.matchAll(/(?:\\.|"(?:\\.|[^"\\])*"|'[^']*'|[^\s"'\\])+/gs)].map(([word]) =>
    word.replace(
      /\\(.)|"((?:\\.|[^"\\])*)"|'([^']*)'/gs,
      (_, escaped?: string, double?: string, single?: string) => escaped ?? double?.replace(/\\(.)/gs, '$1') ?? single ?? '',
    ),
  );
}

function port(line: string, word: string): string {
  if (!/^\d{1,5}(?:-\d{1,5})?(?:\/(?:tcp|udp|sctp))?$/.test(word)) throw invalid(line, 'A port is a number, and /tcp, /udp or /sctp.');
  return word.includes('/') ? word : `${word}/tcp`;
}

function invalid(line: string, hint: string): ImageError {
  return new ImageError({ code: 'CONFIG_CHANGE_INVALID', message: `'${line}' is not a change of an image's config`, hint });
}

/** As signal(7) names them: with or without SIG, real-time ones too, or a number. */
function isSignal(text: string): boolean {
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (/^\d+$/.test(name)) return Number(name) >= 1 && Number(name) <= 64;
  return /^RT(?:MIN|MAX)(?:[+-]\d{1,2})?$/.test(name) || `SIG${name}` in constants.signals;
}
