// A client of the Durable Functions HTTP API. It contains only the routes that start an orchestration, stream and check
// the health of the server. All other URLs come from the answer to a start.

const BASE = '/runtime/webhooks/durabletask';

// How long a stream that the browser has given up, or a server that does not answer, is left alone, in milliseconds.
const PAUSE = 2000;

const UNREACHABLE = 'The server does not answer. Nothing is lost: try again when it is back.';

// Says `back` when the server answers again after it did not.
export const server = new EventTarget();

// An error that is over when the server is back.
export class Unreachable extends Error {}

// Starts an orchestration. Gives the URLs with which it is managed.
export async function start(orchestrator, input) {
  const response = await post(`${BASE}/orchestrators/${encodeURIComponent(orchestrator)}`, input);
  return response.json();
}

export async function raiseEvent({ sendEventPostUri }, name, value) {
  await post(here(sendEventPostUri.replace('{eventName}', encodeURIComponent(name))), value);
}

export async function terminate({ terminatePostUri }, reason) {
  await post(here(terminatePostUri.replace('{text}', encodeURIComponent(reason))));
}

// Whether this is what `start` gives.
export function isInstance(value) {
  const urls = ['id', 'statusQueryGetUri', 'sendEventPostUri', 'terminatePostUri'];
  return urls.every((name) => typeof value?.[name] === 'string') && urls.slice(1).every((name) => URL.canParse(value[name]));
}

// How far the clock of the server is ahead of this one, in milliseconds. Unknown until something was answered.
let ahead;

// The time of the server, in milliseconds since 1970. The clock of a browser may be wrong.
export function serverTime() {
  return Date.now() + (ahead ?? 0);
}

// Asks for the time of the server, unless it is known.
export async function askForTime() {
  if (ahead === undefined) await ask('/healthz').catch(() => {});
}

// What is followed, by id. A browser has six connections to a server of HTTP/1.1, for all its windows: so one stream
// serves all instances, and a hidden page closes its stream.
const followed = new Map();
let source;
let pause;
// True at first, because `DOMContentLoaded` opens the first stream.
let planned = true;

// Calls `status` with the current custom status and with each later one, `end` with the final document, `lost` and
// `found` as the server goes and comes, `gone` when it does not know the instance.
export function watch(instance, callbacks) {
  followed.set(instance.id, { instance, ...callbacks });
  plan();
}

// Opens the stream anew, once for all instances that are added at the same time: each card has a script of its own, and
// all of them have run when the document is complete.
function plan() {
  if (planned) return;
  planned = true;
  queueMicrotask(openPlanned);
}

function openPlanned() {
  planned = false;
  open();
}

document.addEventListener('DOMContentLoaded', openPlanned);

function close() {
  clearTimeout(pause);
  source?.close();
  source = undefined;
}

function open() {
  close();
  if (followed.size === 0 || document.hidden) return;
  const stream = new EventSource(streamUrl());
  source = stream;
  stream.addEventListener('open', () => {
    server.dispatchEvent(new Event('back'));
    each('found');
  });
  stream.addEventListener('customStatus', (event) => tell(event, 'status'));
  stream.addEventListener('end', (event) => tell(event, 'end', true));
  stream.addEventListener('gone', (event) => tell(event, 'gone', true));
  stream.addEventListener('error', () => {
    if (stream !== source) return;
    each('lost');
    // As long as the browser tries again by itself, it asks for what follows the last value it got.
    if (stream.readyState === EventSource.CLOSED) pause = setTimeout(open, PAUSE);
  });
}

function each(name) {
  for (const callbacks of followed.values()) callbacks[name]();
}

function tell({ data }, name, last = false) {
  const head = JSON.parse(data);
  const callbacks = followed.get(head.instanceId);
  if (last) followed.delete(head.instanceId);
  if (followed.size === 0) close();
  callbacks?.[name](head);
}

document.addEventListener('visibilitychange', () => (document.hidden ? close() : source ?? open()));

// The URLs of different instances differ only in the instance id, so the query of any of them can be used.
function streamUrl() {
  const [{ instance }] = followed.values();
  const query = new URLSearchParams(new URL(instance.statusQueryGetUri).search);
  for (const id of followed.keys()) query.append('ids', id);
  return `${BASE}/instances/stream?${query}`;
}

// Uses the origin of this page and only the path of the URL, because the page may be open under another host name or a
// forwarded port.
function here(url) {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

async function post(url, value) {
  const headers = { 'Content-Type': 'application/json' };
  const response = await ask(url, { method: 'POST', headers, body: JSON.stringify(value) });
  if (!response.ok) throw new Error(await reason(response));
  return response;
}

async function ask(url, options) {
  let response;
  try {
    response = await fetch(url, options);
  } catch {
    looking ??= setTimeout(look, PAUSE);
    throw new Unreachable(UNREACHABLE);
  }
  // The header has whole seconds.
  const time = Date.parse(response.headers.get('Date'));
  if (!Number.isNaN(time)) ahead = time + 500 - Date.now();
  return response;
}

let looking;

// Looks whether the server is back, until it is.
async function look() {
  looking = undefined;
  try {
    await ask('/healthz');
    server.dispatchEvent(new Event('back'));
  } catch {
    // It looks again.
  }
}

async function reason(response) {
  try {
    const { Message, ExceptionMessage } = await response.json();
    return ExceptionMessage ?? Message;
  } catch {
    return `The server answers ${response.status}.`;
  }
}
