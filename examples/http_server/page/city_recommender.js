// What to choose from comes as custom status, and the choice goes back as an event.

import { Card } from './card.js';

const card = new Card('city_recommender', { orchestrator: 'recommend_city', input, show });

function input() {
  return Number(new FormData(card.part('form')).get('interest'));
}

function show({ customStatus, running, output }) {
  const { cities = [], seasons = [] } = customStatus ?? {};
  const open = running && cities.length > 1;
  const choice = card.part('choice');
  choice.hidden = !open;
  if (open) {
    // Buttons that stay keep the focus.
    const shown = [...card.part('cities').children].map((button) => button.textContent);
    if (shown.join() !== cities.join()) card.part('cities').replaceChildren(...cities.map(button));
    card.part('seasons').textContent = `Best in ${seasons.join(' or ')}`;
  }
  card.part('result').textContent = output ?? '';
  if (open) card.say(`Which city? ${cities.join(', ')}`);
  else card.say(output ?? '');
}

function button(city) {
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = city;
  button.addEventListener('click', () => card.raiseEvent('CityChosen', city));
  return button;
}

card.resume();
