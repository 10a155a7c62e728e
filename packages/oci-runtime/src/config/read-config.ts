import path from 'node:path';
import { FILE_BOUNDS, FileError, jsonProblem, parseJson, readNamedText, readRegularText } from '@lamella/syscall';
import * as v from 'valibot';
import type { OciErrorCode } from '../errors/error-codes.js';
import { OciError } from '../errors/oci-error.js';
import { checkConfig } from './check-config.js';
import { invalidConfig } from './invalid-config.js';
import { Config, type OciConfig, type OciProcess, type OciResources, Process, Resources } from './schema.js';

/** The configuration of a bundle, and the text of its file. The container keeps the text, because the file may change. */
export interface ReadConfig {
  readonly config: OciConfig;
  readonly text: string;
}

/**
 * Reads and checks `config.json` of a bundle (bundle.md).
 *
 * @param bundle absolute path
 * @throws OciError `BUNDLE_MISSING`, `CONFIG_INVALID`
 */
export function readConfig(bundle: string): ReadConfig {
  const file = path.join(bundle, 'config.json');
  const hint = 'Create one in the bundle directory: lamella-oci spec';
  const text = read(file, 'BUNDLE_MISSING', hint, () => readRegularText(file, FILE_BOUNDS.bundle));
  const config = parse(Config, text, file);
  checkConfig(config, file, bundle);
  return { config, text };
}

/**
 * Reads the configuration that a container keeps. It was checked when the container was created.
 *
 * @param file absolute path
 * @throws FileError; OciError `CONFIG_INVALID`
 */
export function readStoredConfig(file: string): OciConfig {
  return parse(Config, readRegularText(file, FILE_BOUNDS.bundle), file);
}

/** Reads the file of `exec --process`. @throws OciError `PROCESS_INVALID`, `CONFIG_INVALID` */
export function readProcess(file: string): OciProcess {
  const hint = 'Pass a file with a process object of config.json: --process FILE';
  return parse(
    Process,
    read(file, 'PROCESS_INVALID', hint, () => readNamedText(file, FILE_BOUNDS.bundle)),
    file,
  );
}

/** Parses the resources of `update`. @throws OciError `CONFIG_INVALID` */
export function parseResources(text: string, where: string): OciResources {
  return parse(Resources, text, where);
}

function read(file: string, code: OciErrorCode, hint: string, reading: () => string): string {
  try {
    return reading();
  } catch (cause) {
    if (!(cause instanceof FileError)) throw cause;
    throw new OciError({ code, message: cause.problem === 'missing' ? `cannot read ${file}: no such file or directory` : cause.message, hint, cause });
  }
}

function parse<Schema extends v.GenericSchema>(schema: Schema, text: string, where: string): v.InferOutput<Schema> {
  let json: unknown;
  try {
    json = parseJson(text, /\d{16}/.test(text) ? (exact as never) : undefined);
  } catch (cause) {
    throw invalidConfig(where, `invalid JSON: ${jsonProblem(cause)}`, cause);
  }
  const parsed = v.safeParse(schema, withoutNulls(json));
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const place = v.getDotPath(issue);
  const given =
    issue.received === 'undefined' ? 'is missing' : /^(?:is|contains|must) /.test(issue.message) ? `${issue.received} ${issue.message}` : issue.message;
  throw invalidConfig(where, place ? `${place}: ${given}` : given, undefined);
}

/** Returns a value without nulls. Engines written in Go write null for absent properties. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([name, each]) => (each === null ? [] : [[name, withoutNulls(each)]])));
}

/** Reviver that keeps the exact value of integers beyond 2^53, such as limits and arguments of system calls. */
function exact(_key: string, value: unknown, { source }: { readonly source?: string } = {}): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || !source || !/^\d+$/.test(source)) return value;
  return BigInt(source);
}
