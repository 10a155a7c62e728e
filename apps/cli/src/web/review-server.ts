import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import type { ContainerChange, OnConflict, StoredContainer } from '@lamella/engine';
import { changeToJSON } from '../changes/change-to-json.js';
import { UsageError } from '../errors/usage-error.js';
import { errorToJSON } from '../output/report-error.js';
import { applySelected } from '../review/apply-decision.js';
import { Admission } from './admission.js';
import { sideBySide } from './side-by-side.js';

/** The changes under review. */
export interface Reviewed {
  readonly container: StoredContainer;
  /** The name of the container that the user gave. */
  readonly name: string;
  /** Returns the changes to show. */
  readonly changes: () => Promise<readonly ContainerChange[]>;
}

/** A running review. */
export interface ReviewServer extends AsyncDisposable {
  /** The address of the page. It works once. */
  readonly url: string;
  /** Resolves when the user has decided. */
  readonly decided: Promise<void>;
}

/** The files of the page, which the build puts beside this file. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
};
const PAGE = path.join(import.meta.dirname, '../page');
/** Maximum bytes of a request. No list of paths is that long. */
const BODY_MAX = 64 << 20;

/**
 * Serves the review page on loopback. It shows the changes as a tree with their differences, and applies or discards
 * them.
 *
 * @param port port on 127.0.0.1; 0 for any free one
 * @param say prints what was done
 * @throws UsageError if the port cannot be used
 */
export async function serveReview({ container, name, changes }: Reviewed, port: number, say: (text: string) => void): Promise<ReviewServer> {
  const admission = new Admission();
  const decided = Promise.withResolvers<void>();
  let shown = await changes();
  /** The decision under way: decisions run one after the other. */
  let busy: Promise<unknown> = Promise.resolve();

  const listed = (): object => ({
    container: name,
    canApply: shown.some(({ view }) => view.source !== undefined),
    changes: shown.map((change) => ({ ...changeToJSON(change), applies: change.view.source !== undefined })),
  });
  const decisions: Readonly<Record<string, (body: Record<string, unknown>) => Promise<object>>> = {
    async '/apply'({ paths, onConflict = 'fail' }) {
      const wanted = new Set(Array.isArray(paths) ? paths : []);
      const chosen = new Set(shown.filter((change) => wanted.has(`${change.kind} ${change.path}`)));
      if (!chosen.size) throw new UsageError('no changes selected', 'Select changes in the list first.');
      const told: string[] = [];
      await applySelected(container, shown, chosen, name, (line) => told.push(String(line)), onConflict as OnConflict);
      for (const each of told) say(each);
      const rest = await left();
      return { said: told.join('\n'), ended: !rest, ...(rest ? listed() : {}) };
    },
    async '/discard'() {
      await container.remove();
      say('Discarded.');
      return { said: 'Discarded.', ended: true };
    },
    async '/keep'() {
      say(`Kept. Review them again: lamella changes --web ${name}`);
      return { said: 'Kept.', ended: true };
    },
  };
  /** Whether changes are left. */
  const left = async (): Promise<boolean> => {
    try {
      shown = await changes();
    } catch (error) {
      if ((error as { code?: string }).code !== 'CONTAINER_NOT_FOUND' && (error as { code?: string }).code !== 'ENOENT') throw error;
      shown = [];
    }
    return shown.length > 0;
  };

  const answer = async (request: IncomingMessage, response: ServerResponse, host: string): Promise<void> => {
    const { pathname, searchParams } = new URL(request.url ?? '/', `http://${host}`);
    const token = searchParams.get('token');
    if (request.method === 'GET' && pathname === '/' && token !== null && request.headers.host === host) {
      const cookie = admission.admit(token);
      if (cookie) return void response.writeHead(303, { 'set-cookie': cookie, location: '/' }).end();
    }
    if (!admission.isAdmitted(request, host)) return refuse(response, 403, 'This address works only once. Run lamella changes --web again for a new one.');
    const file = FILES[pathname];
    if (request.method === 'GET' && file) {
      response.writeHead(200, { 'content-type': file[1] }).end(await readFile(path.join(PAGE, file[0])));
      return;
    }
    if (request.method === 'GET' && pathname === '/changes') return send(response, 200, listed());
    if (request.method === 'GET' && pathname === '/difference') {
      const wanted = searchParams.get('change');
      const change = shown.find(({ kind, path: at }) => `${kind} ${at}` === wanted);
      if (!change) return refuse(response, 404, 'The change does not exist any more.');
      const [contents] = await container.contents([change]);
      return send(response, 200, sideBySide(change, contents));
    }
    const decide = request.method === 'POST' ? decisions[pathname] : undefined;
    if (!decide) return refuse(response, 404, 'Not found.');
    // A request without a length is refused too.
    if (!(Number(request.headers['content-length']) <= BODY_MAX)) return refuse(response, 413, 'The request is too large.');
    const body = (await json(request)) as Record<string, unknown>;
    // The requester gets the error. The next decision only waits.
    const turn = busy.then(() => decide(body));
    busy = turn.catch(() => undefined);
    const outcome = await turn;
    send(response, 200, outcome);
    if ((outcome as { ended: boolean }).ended) response.once('close', () => decided.resolve());
  };

  const server = createServer({ keepAlive: false }, (request, response) => {
    const { port: own } = server.address() as AddressInfo;
    response.setHeader('cache-control', 'no-store');
    response.setHeader('x-content-type-options', 'nosniff');
    response.setHeader('referrer-policy', 'no-referrer');
    response.setHeader('content-security-policy', "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'");
    answer(request, response, `127.0.0.1:${own}`).catch((error: unknown) => {
      if (response.headersSent) response.destroy();
      else send(response, 409, errorToJSON(error) as object);
    });
  });
  server.listen(port, '127.0.0.1');
  try {
    await once(server, 'listening');
  } catch (error) {
    throw new UsageError(`cannot listen on 127.0.0.1:${port}: ${(error as NodeJS.ErrnoException).code}`, 'Choose another port, or remove --port.');
  }
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/?token=${admission.token}`,
    decided: decided.promise,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await busy;
    },
  };
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' }).end(`${text}\n`);
}
