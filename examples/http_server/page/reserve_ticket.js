// Data to act on: an offer that runs out, whether or not anybody looks at it.

import { Card } from './card.js';
import { askForTime, serverTime } from './durable.js';

const card = new Card('reserve_ticket', { orchestrator: 'reserve_ticket', input, show });

// When the offer runs out, in milliseconds since 1970. It comes from the custom status, so reloading the page does not
// restart the countdown.
let deadline;
let ticking;

card.part('confirm').addEventListener('click', () => card.raiseEvent('BookingConfirmed', true));
card.part('decline').addEventListener('click', () => card.raiseEvent('BookingConfirmed', false));

function input() {
  return [card.part('seats').valueAsNumber, card.part('within').valueAsNumber];
}

function show({ customStatus, running }) {
  const { offered, closed } = customStatus ?? {};
  card.part('offer').hidden = !(running && offered);
  card.part('message').textContent = closed?.message ?? '';
  clearInterval(ticking);
  if (closed) card.say(closed.message);
  if (!running || !offered) return;

  card.part('discount').textContent = `${offered.discount_percent} %`;
  card.part('address').textContent = offered.booking_address;
  card.part('remaining').max = offered.answer_within_seconds;
  deadline = Date.parse(offered.answer_until);
  card.say(`${offered.discount_percent} % off, if you answer within ${offered.answer_within_seconds} seconds`);
  ticking = setInterval(tick, 250);
  askForTime().then(tick);
}

// Whether an answer comes in time is for the orchestration to say: the buttons stay until it has closed the offer.
function tick() {
  const seconds = Math.max(0, (deadline - serverTime()) / 1000);
  const whole = Math.ceil(seconds);
  card.part('countdown').textContent = `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
  card.part('remaining').value = seconds;
}

card.resume();
