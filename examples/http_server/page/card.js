// What the three cards have in common: each follows one instance, which outlives the page.

import { Unreachable, isInstance, raiseEvent, server, start, terminate, watch } from './durable.js';

export class Card {
  #name;
  #show;
  #instance;
  #state = '';
  #connected = true;
  #unreachable = false;

  // `id` is the id of the section. `input` reads the form and throws an error if an entry is wrong. `show` draws
  // `{ customStatus, running, output }`: the output is there once it has completed.
  constructor(id, { orchestrator, input, show }) {
    this.root = document.getElementById(id);
    this.#name = orchestrator;
    this.#show = show;
    // The form is disabled in the HTML, because without JavaScript it cannot work.
    this.part('fields').disabled = false;
    this.part('form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#try(() => this.#start(input()));
    });
    this.part('stop').addEventListener('click', () =>
      this.#try(() => terminate(this.#instance, 'stopped on the page')),
    );
    server.addEventListener('back', () => this.#unreachable && this.#complain(''));
  }

  // Goes on with the instance that was followed before the page was loaded.
  resume() {
    const kept = recall(this.#name);
    if (!kept) return;
    this.part('fields').disabled = true;
    this.#state = 'Connecting…';
    this.#follow(kept);
  }

  // An element of the card, by its `data-part`.
  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  // Says something to those who cannot see the card, once.
  say(text) {
    const spoken = this.part('spoken');
    if (spoken.textContent !== text) spoken.textContent = text;
  }

  raiseEvent(name, value) {
    return this.#try(() => raiseEvent(this.#instance, name, value));
  }

  async #start(input) {
    const instance = await start(this.#name, input);
    keep(this.#name, instance);
    this.#draw({ runtimeStatus: 'Pending', customStatus: null }, true);
    this.#follow(instance);
  }

  #follow(instance) {
    this.#instance = instance;
    this.part('instance').textContent = instance.id;
    this.#connection(true);
    watch(instance, {
      // The last status comes before the end, which has the output.
      status: (head) => this.#draw(head, true),
      end: (head) => this.#draw(head, false),
      lost: () => this.#connection(false),
      found: () => this.#connection(true),
      gone: () => this.#forget(),
    });
  }

  #draw({ runtimeStatus, customStatus, output }, running) {
    const focused = this.root.contains(document.activeElement) ? document.activeElement : undefined;
    this.#state = runtimeStatus;
    this.#connected = true;
    this.#drawState();
    this.part('live').hidden = false;
    this.part('fields').disabled = running;
    this.part('stop').hidden = !running;
    this.part('status').textContent = onOneLine(customStatus);
    this.#complain(runtimeStatus === 'Failed' ? String(output) : '');
    this.#show({ customStatus, running, output: runtimeStatus === 'Completed' ? output : undefined });
    this.#keepFocus(focused);
  }

  // What had the focus may be gone, and whoever works with the keyboard would have to begin at the top of the page.
  #keepFocus(focused) {
    if (!focused || (focused.isConnected && focused.checkVisibility() && !focused.matches(':disabled'))) return;
    const next = [...this.root.querySelectorAll('button')].filter((button) => button !== focused);
    next.find((button) => button.checkVisibility() && !button.matches(':disabled'))?.focus();
  }

  #drawState() {
    const state = this.part('state');
    const text = this.#connected ? this.#state : 'Reconnecting…';
    // Screen readers read it out when it changes, and only then.
    if (state.textContent !== text) state.textContent = text;
    state.dataset.state = this.#connected ? this.#state : 'Lost';
  }

  #connection(connected) {
    this.#connected = connected;
    this.#drawState();
  }

  #forget() {
    forget(this.#name);
    this.#instance = undefined;
    this.#state = '';
    this.#connection(true);
    this.part('live').hidden = true;
    this.part('fields').disabled = false;
    this.#complain('The server does not know the instance that was followed here.');
  }

  #complain(text, unreachable = false) {
    this.#unreachable = unreachable;
    const error = this.part('error');
    if (error.textContent !== text) error.textContent = text;
    error.hidden = !text;
  }

  // Runs what the user asked for, once at a time, and says why it was not done.
  async #try(action) {
    if (this.root.ariaBusy === 'true') return;
    this.root.ariaBusy = 'true';
    this.#complain('');
    try {
      await action();
    } catch (error) {
      this.#complain(error.message, error instanceof Unreachable);
    } finally {
      this.root.ariaBusy = 'false';
    }
  }
}

// The browser's storage may be full or forbidden, or contain something that this page did not write. In these cases the
// page remembers nothing.
function keep(name, instance) {
  try {
    localStorage.setItem(name, JSON.stringify(instance));
  } catch {
    // It is followed until the page is closed.
  }
}

function recall(name) {
  try {
    const kept = JSON.parse(localStorage.getItem(name));
    if (isInstance(kept)) return kept;
  } catch {
    // It is no JSON.
  }
  forget(name);
  return undefined;
}

function forget(name) {
  try {
    localStorage.removeItem(name);
  } catch {
    // There is nothing to forget.
  }
}

// JSON that breaks between its parts where a line is too short.
function onOneLine(value) {
  return JSON.stringify(value, null, 1).replaceAll(/\n */g, ' ');
}
