// The passcodes that the visitor chose in this window, to be read out to the sender: no machine knows them.
import { SvelteMap } from 'svelte/reactivity';

class Told {
  #passcodes = new SvelteMap<string, string>();

  remember(transfer: string, passcode: string): void {
    this.#passcodes.set(transfer, passcode);
  }

  of(transfer: string): string | undefined {
    return this.#passcodes.get(transfer);
  }
}

export const told = new Told();
