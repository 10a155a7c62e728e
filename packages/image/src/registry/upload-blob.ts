import type { Readable } from 'node:stream';
import { ImageError } from '../model/image-error.js';
import { type Answer, headerOf } from './answer.js';
import { mayPass, patiently, pauseAfter } from './patience.js';
import type { RegistryClient, RegistryRequest } from './registry-client.js';

/** Uploads go in pieces of this size, each confirmed by the registry, unless the registry asks for another size. */
const PIECE = 16 << 20;
/** Smaller pieces than this are not tried where something on the way takes no larger ones. */
const SMALLEST_PIECE = 256 << 10;
/** How often an upload fails, without any byte in between, before it is given up. */
const ATTEMPTS = 5;

/** A blob that is to be uploaded. */
export interface UploadedBlob {
  readonly digest: string;
  readonly size: number;
  /** Its bytes from one place to another, which is not included. */
  read(from: number, to: number): Readable;
}

export interface UploadOptions {
  /** Another repository of the registry that may have the blob. */
  readonly from: string | undefined;
  readonly onProgress: (state: 'uploading' | 'done' | 'present' | 'mounted', bytes: number) => void;
}

/** An upload that has begun. */
interface Session {
  location: string;
  /** Bytes that the registry has. */
  offset: number;
}

/** What a request led to: an answer of any status, or why there is none. */
type Outcome = Answer | Error;

/** The session is of no use any more; `whole` if the registry takes no pieces. */
class Lost extends Error {
  readonly outcome: Outcome;
  readonly whole: boolean;

  constructor(outcome: Outcome, whole = false) {
    super('the upload has to begin anew');
    this.outcome = outcome;
    this.whole = whole;
  }
}

/**
 * Brings a blob into a repository (distribution specification, "Pushing blobs"): mounted from another repository, else in
 * pieces, else in one. What breaks off goes on where the registry says that it is.
 *
 * @throws ImageError `REGISTRY_*`
 */
export async function uploadBlob(client: RegistryClient, blob: UploadedBlob, options: UploadOptions): Promise<void> {
  await new Upload(client, blob, options).run();
}

class Upload {
  readonly #client: RegistryClient;
  readonly #blob: UploadedBlob;
  readonly #options: UploadOptions;
  #piece = PIECE;
  #inPieces = true;

  constructor(client: RegistryClient, blob: UploadedBlob, options: UploadOptions) {
    this.#client = client;
    this.#blob = blob;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { from, onProgress } = this.#options;
    const { size } = this.#blob;
    if (await this.#isThere()) return onProgress('present', size);
    let session = from === undefined ? undefined : await this.#mount(from);
    if (session === 'mounted') return onProgress('mounted', size);
    for (let failures = 0; ; ) {
      session ??= await this.#begin();
      try {
        await (this.#inPieces ? this.#sendPieces(session) : this.#sendWhole(session));
        return onProgress('done', size);
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
        // Some registries accept a blob in one piece only, which is fine.
        if (error.whole) this.#inPieces = false;
        else await this.#pause(error.outcome, ++failures);
      }
      if (await this.#isThere()) return onProgress('done', size);
      session = undefined;
    }
  }

  async #isThere(): Promise<boolean> {
    const { status, body } = await this.#client.ask(`blobs/${this.#blob.digest}`, { method: 'HEAD', accept: [404, 405, 501] });
    await body.dump();
    return status >= 200 && status < 300;
  }

  /** A registry need not be able to mount, and we need not be allowed to read there. @returns an upload, if it began one instead */
  async #mount(from: string): Promise<Session | 'mounted' | undefined> {
    const answer = await this.#try(`blobs/uploads/?${new URLSearchParams({ mount: this.#blob.digest, from })}`, {
      method: 'POST',
      headers: { 'content-length': '0' },
    });
    if (answer instanceof Error) return undefined;
    await answer.body.dump();
    if (answer.status === 201) return 'mounted';
    const location = answer.status === 202 ? placeOf(answer) : undefined;
    return location === undefined ? undefined : { location, offset: 0 };
  }

  async #begin(): Promise<Session> {
    const answer = await this.#client.ask('blobs/uploads/', { method: 'POST', headers: { 'content-length': '0' } });
    await answer.body.dump();
    const location = placeOf(answer);
    if (location === undefined)
      throw new ImageError({
        code: 'REGISTRY_FAILED',
        message: `${this.#client.domain} answers ${answer.status} and does not say where to upload to`,
        hint: 'It does not follow the distribution specification.',
      });
    const least = Number(headerOf(answer, 'oci-chunk-min-length') ?? 0);
    if (least > this.#piece) this.#piece = least;
    return { location, offset: 0 };
  }

  async #sendPieces(session: Session): Promise<void> {
    const { size } = this.#blob;
    for (let failures = 0; session.offset < size; ) {
      const { offset } = session;
      const outcome = await this.#sendPiece(session, Math.min(size, offset + this.#piece));
      if (session.offset > offset) {
        this.#options.onProgress('uploading', session.offset);
        failures = 0;
      }
      if (outcome) await this.#pause(outcome, ++failures);
    }
    await this.#finish(session);
  }

  /** @returns what went wrong, if the session can go on */
  async #sendPiece(session: Session, end: number): Promise<Outcome | undefined> {
    const { offset } = session;
    const outcome = await this.#try(session.location, {
      method: 'PATCH',
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(end - offset), 'content-range': `${offset}-${end - 1}` },
      body: () => this.#blob.read(offset, end),
    });
    const status = outcome instanceof Error ? 0 : outcome.status;
    if (!(outcome instanceof Error) && isGood(outcome)) {
      await outcome.body.dump();
      session.location = placeOf(outcome) ?? session.location;
      const taken = rangeEnd(outcome);
      // It may have taken less than it was given.
      session.offset = taken !== undefined && taken > offset && taken < end ? taken : end;
      return undefined;
    }
    // Something on the way takes no bodies of this size, and has not read this one.
    if (status === 413 && end - offset > SMALLEST_PIECE) {
      this.#piece = (end - offset) >> 1;
      return undefined;
    }
    if (offset === 0 && NO_PIECES.includes(status)) throw new Lost(outcome, true);
    if (status === 404) throw new Lost(outcome);
    if (status !== 416 && !mayPass(outcome)) throw await this.#error(outcome);
    await this.#takeUp(session, outcome);
    return outcome;
  }

  /** Asks how far an upload is. @throws Lost */
  async #takeUp(session: Session, after: Outcome): Promise<void> {
    const answer = await patiently(() => this.#client.try(session.location), this.#client.signal).catch((error: Error) => {
      this.#client.signal?.throwIfAborted();
      return error;
    });
    if (answer instanceof Error) throw new Lost(after);
    await answer.body.dump();
    const end = isGood(answer) ? rangeEnd(answer) : undefined;
    if (end === undefined) throw new Lost(after);
    if (end <= 1) {
      // `0-0` is what many say of one byte, and of none. It is read as none: if the registry did take that byte, nothing is lost by beginning anew.
      if (session.offset > 0 || after instanceof Error || after.status === 416) throw new Lost(after);
      return;
    }
    session.location = placeOf(answer) ?? session.location;
    session.offset = end;
  }

  async #finish(session: Session): Promise<void> {
    for (let failures = 0; ; ) {
      const outcome = await this.#try(withDigest(session.location, this.#blob.digest), { method: 'PUT', headers: { 'content-length': '0' } });
      if (await this.#isGood(outcome)) return;
      if (isGone(outcome)) throw new Lost(outcome);
      if (!mayPass(outcome)) throw await this.#error(outcome);
      await this.#pause(outcome, ++failures);
      if (await this.#isThere()) return;
      if (this.#blob.size === 0) throw new Lost(outcome);
      await this.#takeUp(session, outcome);
      if (session.offset !== this.#blob.size) throw new Lost(outcome);
    }
  }

  async #sendWhole(session: Session): Promise<void> {
    const { digest, size } = this.#blob;
    const outcome = await this.#try(withDigest(session.location, digest), {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
      body: () => this.#blob.read(0, size),
    });
    if (await this.#isGood(outcome)) return;
    if (isGone(outcome) || mayPass(outcome)) throw new Lost(outcome);
    throw await this.#error(outcome);
  }

  async #isGood(outcome: Outcome): Promise<boolean> {
    if (outcome instanceof Error || !isGood(outcome)) return false;
    await outcome.body.dump();
    return true;
  }

  async #try(place: string, request: RegistryRequest): Promise<Outcome> {
    try {
      return await this.#client.try(place, request);
    } catch (error) {
      this.#client.signal?.throwIfAborted();
      return error as Error;
    }
  }

  async #pause(outcome: Outcome, failures: number): Promise<void> {
    if (failures >= ATTEMPTS) throw await this.#error(outcome);
    if (!(outcome instanceof Error)) await outcome.body.dump();
    await pauseAfter(outcome, failures, this.#client.signal);
  }

  async #error(outcome: Outcome): Promise<unknown> {
    const place = 'blobs/uploads/';
    return outcome instanceof Error ? this.#client.explain(outcome, place) : this.#client.refusal(outcome, place);
  }
}

/** Statuses by which a registry says that it takes no pieces. */
const NO_PIECES = [400, 405, 411, 415, 501];

const isGood = ({ status }: Answer): boolean => status >= 200 && status < 300;

const isGone = (outcome: Outcome): boolean => !(outcome instanceof Error) && [404, 416].includes(outcome.status);

/** Where an upload continues, as a whole URL. */
function placeOf(answer: Answer): string | undefined {
  const place = headerOf(answer, 'location');
  return place && URL.canParse(place, answer.url.href) ? new URL(place, answer.url).href : undefined;
}

/** Where the range of an upload ends, which is not included. */
function rangeEnd(answer: Answer): number | undefined {
  const last = /^(?:bytes[= ])?0-(\d+)$/i.exec(headerOf(answer, 'range')?.trim() ?? '')?.[1];
  return last === undefined ? undefined : Number(last) + 1;
}

/** What the registry has put into its URL stays as it is, to the byte. */
function withDigest(location: string, digest: string): string {
  const plain = location.replace(/#.*/, '');
  return `${plain}${plain.includes('?') ? '&' : '?'}digest=${encodeURIComponent(digest)}`;
}
