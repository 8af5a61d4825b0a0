// What the three cards have in common: each follows one instance, which outlives the page.

import { raiseEvent, start, terminate, watch } from './durable.js';

export class Card {
  #name;
  #show;
  #instance;
  #state = '';
  #connected = true;

  // `id` is that of the section. `input` reads the form, and throws what is wrong with it. `show` draws
  // `{ customStatus, running, output }`: the output is there once it has completed.
  constructor(id, { orchestrator, input, show }) {
    this.root = document.getElementById(id);
    this.#name = orchestrator;
    this.#show = show;
    this.part('form').addEventListener('submit', (event) => {
      event.preventDefault();
      this.#try(() => this.#start(input()));
    });
    this.part('stop').addEventListener('click', () =>
      this.#try(() => terminate(this.#instance, 'stopped on the page')),
    );
  }

  // Goes on with the instance that was followed before the page was loaded.
  resume() {
    const kept = localStorage.getItem(this.#name);
    if (!kept) return;
    this.part('fields').disabled = true;
    this.#state = 'Connecting…';
    this.#follow(JSON.parse(kept));
  }

  // An element of the card, by its `data-part`.
  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  raiseEvent(name, value) {
    return this.#try(() => raiseEvent(this.#instance, name, value));
  }

  async #start(input) {
    const instance = await start(this.#name, input);
    localStorage.setItem(this.#name, JSON.stringify(instance));
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
    this.#state = runtimeStatus;
    this.#connected = true;
    this.#drawState();
    this.part('live').hidden = false;
    this.part('fields').disabled = running;
    this.part('stop').hidden = !running;
    this.part('status').textContent = onOneLine(customStatus);
    this.#complain(runtimeStatus === 'Failed' ? String(output) : '');
    this.#show({ customStatus, running, output: runtimeStatus === 'Completed' ? output : undefined });
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
    localStorage.removeItem(this.#name);
    this.#instance = undefined;
    this.#state = '';
    this.#connection(true);
    this.part('live').hidden = true;
    this.part('fields').disabled = false;
    this.#complain('The server does not know the instance that was followed here.');
  }

  #complain(text) {
    const error = this.part('error');
    error.textContent = text;
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
      this.#complain(error.message);
    } finally {
      this.root.ariaBusy = 'false';
    }
  }
}

// JSON that breaks between its parts where a line is too short.
function onOneLine(value) {
  return JSON.stringify(value, null, 1).replaceAll(/\n */g, ' ');
}
