// What kind of screen this is, as far as the layout cares.
import { MediaQuery } from 'svelte/reactivity';

/** One column, bottom tabs. */
export const phone = new MediaQuery('max-width: 700px');
/** Fingers rather than a mouse: taller rows, larger targets. */
export const coarse = new MediaQuery('pointer: coarse');
/** Room for the details beside the list. */
export const roomy = new MediaQuery('min-width: 1080px');
