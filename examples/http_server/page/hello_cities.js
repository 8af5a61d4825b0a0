// Progress: the bar shows the custom status and nothing else.

import { Card } from './card.js';

const card = new Card('hello_cities', { orchestrator: 'hello_cities', input, show });

function input() {
  const cities = card.part('cities').value.split(',').map((city) => city.trim()).filter(Boolean);
  if (cities.length === 0) throw new Error('Which cities?');
  return cities;
}

function show({ customStatus, running, output }) {
  const { done = 0, total = 1, greeting } = customStatus ?? {};
  const bar = card.part('bar');
  bar.max = total;
  bar.value = done;
  card.part('count').textContent = customStatus ? `${done} of ${total}` : '';
  card.part('doing').textContent = doing(running, greeting, output);
  card.say(customStatus ? `${doing(running, greeting, output)}, ${done} of ${total}` : '');
  card.part('greetings').replaceChildren(...(output ?? []).map(item));
}

function doing(running, greeting, output) {
  if (output) return 'All cities greeted';
  if (!running) return 'Stopped';
  return greeting ? `Greeting ${greeting}` : 'Starting';
}

function item(text) {
  const item = document.createElement('li');
  item.textContent = text;
  return item;
}

card.resume();
