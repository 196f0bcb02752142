// Between finding and sending: holds what is found until it is worth a request, and hands it on in the order it was found.
// The first portion is small, so that something leaves at once; each is larger than the one before. Pure.
import { nothing, type Found } from './gather';

const FIRST = 250;
const MOST = 2_000;

export class Intake {
  #waiting = nothing();
  #enough = FIRST;
  #handing: Promise<void> = Promise.resolve();
  readonly #hand: (found: Found) => Promise<void>;

  /** `hand` is not called again before what it began is over. */
  constructor(hand: (found: Found) => Promise<void>) {
    this.#hand = hand;
  }

  take = ({ files, folders, unreadable }: Found): void => {
    const { files: waiting } = this.#waiting;
    waiting.push(...files);
    this.#waiting.folders.push(...folders);
    this.#waiting.unreadable.push(...unreadable);
    if (waiting.length >= this.#enough) this.#flush();
  };

  /** Hands on what is left; ends when all is taken. */
  async end(): Promise<void> {
    this.#flush();
    await this.#handing;
  }

  #flush(): void {
    const found = this.#waiting;
    if (found.files.length + found.folders.length + found.unreadable.length === 0) return;
    this.#waiting = nothing();
    this.#enough = Math.min(MOST, this.#enough * 2);
    this.#handing = this.#handing.then(() => this.#hand(found));
  }
}
