// The present moment, to the minute: enough for "2 min ago" to stay true.

const EVERY_MS = 60_000;

class Clock {
  now = $state.raw(new Date());

  constructor() {
    setInterval(() => (this.now = new Date()), EVERY_MS);
  }
}

export const clock = new Clock();
