// A client of the Durable Functions HTTP API. It knows one route; everything else are URLs that a start answers with.

const ORCHESTRATORS = '/runtime/webhooks/durabletask/orchestrators';

// How long a stream that the browser has given up is left alone, in milliseconds.
const PAUSE = 2000;

// Starts an orchestration. Gives the URLs with which it is managed.
export async function start(orchestrator, input) {
  const response = await post(`${ORCHESTRATORS}/${encodeURIComponent(orchestrator)}`, input);
  return response.json();
}

export async function raiseEvent({ sendEventPostUri }, name, value) {
  await post(here(sendEventPostUri.replace('{eventName}', encodeURIComponent(name))), value);
}

export async function terminate({ terminatePostUri }, reason) {
  await post(here(terminatePostUri.replace('{text}', encodeURIComponent(reason))));
}

// Calls `status` with the current custom status and with each later one, `end` with the final document, `lost` and
// `found` as the server goes and comes, `gone` when it does not know the instance. Gives a function that ends this.
export function watch(instance, { status, end, lost, found, gone }) {
  const url = streamUrl(instance);
  let source;
  let pause;

  const close = () => {
    clearTimeout(pause);
    source?.close();
    source = undefined;
  };
  const open = () => {
    close();
    source = new EventSource(url);
    source.addEventListener('open', found);
    source.addEventListener('customStatus', ({ data }) => status(JSON.parse(data)));
    source.addEventListener('end', ({ data }) => {
      stop();
      end(JSON.parse(data));
    });
    source.addEventListener('error', async ({ target }) => {
      lost();
      // As long as the browser tries again by itself, it asks for what follows the last value it got.
      if (target.readyState !== EventSource.CLOSED) return;
      if (await isGone(instance)) {
        stop();
        gone();
      } else if (target === source) {
        pause = setTimeout(open, PAUSE);
      }
    });
  };
  // A browser has six connections to a server of HTTP/1.1, for all its tabs: one that is not seen holds none.
  const seen = () => (document.hidden ? close() : source ?? open());
  const stop = () => {
    document.removeEventListener('visibilitychange', seen);
    close();
  };

  document.addEventListener('visibilitychange', seen);
  seen();
  return stop;
}

async function isGone({ statusQueryGetUri }) {
  try {
    return (await fetch(here(statusQueryGetUri))).status === 404;
  } catch {
    return false;
  }
}

function streamUrl({ statusQueryGetUri }) {
  const [path, query] = here(statusQueryGetUri).split('?');
  return `${path}/customStatus/stream?${query ?? ''}`;
}

// The server as it was found: under another name of this machine, or behind a forwarded port, it is the same one.
function here(url) {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

async function post(url, value) {
  const headers = { 'Content-Type': 'application/json' };
  let response;
  try {
    response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(value) });
  } catch {
    throw new Error('The server does not answer. Nothing is lost: try again when it is back.');
  }
  if (!response.ok) throw new Error(await reason(response));
  return response;
}

async function reason(response) {
  try {
    const { Message, ExceptionMessage } = await response.json();
    return ExceptionMessage ?? Message;
  } catch {
    return `The server answers ${response.status}.`;
  }
}
