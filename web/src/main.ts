// Starts the page: language first, so that no word flashes in the wrong one.
import { mount } from 'svelte';
import './ui/fonts.css';
import './ui/tokens.css';
import './ui/base.css';
import App from './App.svelte';
import { registerWorker } from './worker/register';
import { preferredLanguage, text } from './text/text.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('the page has no place for the app');

// Not awaited by this module: the words of another language import what is in the same file as it, and would wait for it.
void text.load(preferredLanguage()).then(() => {
  mount(App, { target });
  registerWorker();
});
