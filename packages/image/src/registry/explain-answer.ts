import * as v from 'valibot';
import type { ImageErrorCode } from '../model/error-codes.js';
import { ImageError } from '../model/image-error.js';
import { type Answer, readWithin } from './answer.js';
import { isCertificateError, isNoTls, retryAfter } from './patience.js';

/** Bytes of a server's message. */
const PROBLEMS_MAX = 1 << 20;
const Text = v.fallback(v.optional(v.nullable(v.string())), undefined);
/** The form of errors of registries, and that of token servers (RFC 6749, 5.2). */
const Problems = v.looseObject({
  errors: v.fallback(v.optional(v.nullable(v.array(v.looseObject({ code: Text, message: Text })))), undefined),
  error: Text,
  error_description: Text,
  details: Text,
  message: Text,
});

/** Returns what an answer says of its error, in at most a few hundred characters. */
export async function problemsOf(answer: Answer): Promise<string> {
  let text: string;
  try {
    text = (await readWithin(answer, PROBLEMS_MAX, 'the answer')).toString('utf8');
  } catch {
    // It is an error in any case; what it would have said is lost with its connection.
    return '';
  }
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), Problems), text);
  if (!parsed.success) return '';
  const { errors, error, error_description, details, message } = parsed.output;
  const said = (errors ?? []).map((each) => each.message || each.code).filter(Boolean);
  const whole = said.length ? said.join('; ') : error_description || details || message || error || '';
  return whole.length > 300 ? `${whole.slice(0, 300)}…` : whole;
}

/** Returns the error of a connection. @param who a host, for messages */
export function connectionError(error: unknown, who: string): unknown {
  if (error instanceof ImageError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (isCertificateError(error))
    return new ImageError({
      code: 'REGISTRY_CERTIFICATE',
      message: `${who} cannot be trusted: ${code}`,
      hint: `Put its certificate into /etc/containers/certs.d/${who}/ca.crt, or, if you trust the network, --tls-verify=false.`,
      cause: error,
    });
  if (isNoTls(error))
    return new ImageError({
      code: 'REGISTRY_UNREACHABLE',
      message: `${who} answers, but not in TLS (${code})`,
      hint: 'If it speaks plain HTTP, and you trust the network: --tls-verify=false.',
      cause: error,
    });
  return new ImageError({
    code: 'REGISTRY_UNREACHABLE',
    message: `${who} cannot be reached: ${code ?? message}`,
    hint: 'Check its name, and the network.',
    cause: error,
  });
}

/** Returns the error of an answer that is none of 401, 403 or 404. @param what was asked for */
export function statusError(answer: Answer, what: string, said: string, mayLogIn: boolean): ImageError {
  const { status } = answer;
  const tell = (code: ImageErrorCode, why: string, hint: string): ImageError =>
    new ImageError({ code, message: `${what}: ${why}${said ? ` (${said})` : ''}`, hint });
  if (status === 429) {
    const pause = retryAfter(answer);
    const wait = pause ? `Wait ${Math.ceil(pause / 1000)} s` : 'Wait';
    return tell('REGISTRY_RATE_LIMITED', 'too many requests', mayLogIn ? `${wait}, or log in for a higher limit: lamella login.` : `${wait}, then try again.`);
  }
  if (status >= 500) return tell('REGISTRY_FAILED', `${answer.url.host} answers ${status}`, 'The server has a problem: try again later.');
  return tell('REGISTRY_FAILED', `${answer.url.host} answers ${status}`, 'It does not do what we ask.');
}
