// A map that forgets what was not used for longest.

export class Lru<K, V> {
  #map = new Map<K, V>();
  #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get(key: K): V | undefined {
    const value = this.#map.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.#map.delete(key);
    this.#map.set(key, value);
    const oldest = this.#map.keys().next();
    if (this.#map.size > this.#most && !oldest.done) this.#map.delete(oldest.value);
  }
}
