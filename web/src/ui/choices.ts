// Keys for a row of choices of which one is taken (the ARIA radio group pattern).
import type { Component } from 'svelte';

export interface Choice<T extends string> {
  value: T;
  label: string;
  icon?: Component<{ size?: number }>;
}

/** Which choice an arrow key leads to; undefined for any other key. */
export function nextChoice<T extends string>(key: string, choices: Choice<T>[], now: T): T | undefined {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[key];
  if (step === undefined) return undefined;
  // Where none is taken the first has the focus.
  const at = Math.max(
    0,
    choices.findIndex((choice) => choice.value === now),
  );
  return choices[(at + step + choices.length) % choices.length]?.value;
}

/** Takes an arrow key in a radio group: chooses and moves the focus along. */
export function handleChoiceKey<T extends string>(
  event: KeyboardEvent,
  choices: Choice<T>[],
  now: T,
  choose: (value: T) => void,
): void {
  const next = nextChoice(event.key, choices, now);
  if (next === undefined) return;
  event.preventDefault();
  choose(next);
  const group = event.currentTarget as HTMLElement;
  group.querySelector<HTMLElement>(`[data-value="${next}"]`)?.focus();
}
