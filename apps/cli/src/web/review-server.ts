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

/** What is reviewed. */
export interface Reviewed {
  readonly container: StoredContainer;
  /** What the user calls it. */
  readonly name: string;
  /** Those of its changes that are shown. */
  readonly changes: () => Promise<readonly ContainerChange[]>;
}

/** A review that is being served. */
export interface ReviewServer extends AsyncDisposable {
  /** Where somebody can look, once. */
  readonly url: string;
  /** Resolves when it was decided. */
  readonly decided: Promise<void>;
}

/** The page, built beside this file. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/style.css': ['style.css', 'text/css; charset=utf-8'],
};
const PAGE = path.join(import.meta.dirname, '../page');
/** A list of paths is larger than this only when it is none. */
const BODY_MAX = 64 << 20;

/**
 * Serve a review on loopback: a page with the changes as a tree and their differences, on which they are applied or
 * thrown away.
 *
 * @param port of 127.0.0.1; 0 for any
 * @param say told of what was done
 * @throws UsageError when the port is taken
 */
export async function serveReview({ container, name, changes }: Reviewed, port: number, say: (text: string) => void): Promise<ReviewServer> {
  const admission = new Admission();
  const decided = Promise.withResolvers<void>();
  let shown = await changes();
  /** One decision after the other. */
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
      if (!chosen.size) throw new UsageError('nothing was chosen', 'Choose changes in the list first.');
      const told: string[] = [];
      await applySelected(container, shown, chosen, name, (line) => told.push(String(line)), onConflict as OnConflict);
      for (const each of told) say(each);
      const rest = await left();
      return { said: told.join('\n'), ended: !rest, ...(rest ? listed() : {}) };
    },
    async '/discard'() {
      await container.remove();
      say('Thrown away.');
      return { said: 'Thrown away.', ended: true };
    },
    async '/keep'() {
      say(`Kept: lamella changes --web ${name} shows them again.`);
      return { said: 'Kept.', ended: true };
    },
  };
  /** Whether there is something to decide still. */
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
    if (!admission.isAdmitted(request, host)) return refuse(response, 403, 'This address works once. Run lamella changes --web again for another.');
    const file = FILES[pathname];
    if (request.method === 'GET' && file) {
      response.writeHead(200, { 'content-type': file[1] }).end(await readFile(path.join(PAGE, file[0])));
      return;
    }
    if (request.method === 'GET' && pathname === '/changes') return send(response, 200, listed());
    if (request.method === 'GET' && pathname === '/difference') {
      const wanted = searchParams.get('change');
      const change = shown.find(({ kind, path: at }) => `${kind} ${at}` === wanted);
      if (!change) return refuse(response, 404, 'That change is not there any more.');
      const [contents] = await container.contents([change]);
      return send(response, 200, sideBySide(change, contents));
    }
    const decide = request.method === 'POST' ? decisions[pathname] : undefined;
    if (!decide) return refuse(response, 404, 'There is nothing here.');
    // One that does not say how long it is is refused, too.
    if (!(Number(request.headers['content-length']) <= BODY_MAX)) return refuse(response, 413, 'That is too much.');
    const body = (await json(request)) as Record<string, unknown>;
    // Whoever asked is told what failed; the next one only waits for it.
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
    throw new UsageError(`port ${port} cannot be had: ${(error as NodeJS.ErrnoException).code}`, 'Choose another with --port, or none for any that is free.');
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
