// Short messages that go by themselves. An error about a place on the page is shown in that place, not here.

export interface ToastAction {
  label: string;
  run: () => void;
}

export interface Toast {
  id: number;
  text: string;
  tone: 'plain' | 'danger';
  action?: ToastAction;
}

/** Long enough to read two lines and reach for "Undo". */
const SHOWN_MS = 8_000;
/** More than this at once nobody reads. */
const MOST = 3;

export class Toasts {
  list = $state.raw<Toast[]>([]);
  #made = 0;

  show(text: string, options: { tone?: Toast['tone']; action?: ToastAction } = {}): void {
    this.#made += 1;
    const toast: Toast = { id: this.#made, text, tone: options.tone ?? 'plain', action: options.action };
    this.list = [...this.list.filter((other) => other.text !== text), toast].slice(-MOST);
    setTimeout(() => this.dismiss(toast.id), SHOWN_MS);
  }

  dismiss(id: number): void {
    this.list = this.list.filter((toast) => toast.id !== id);
  }
}

export const toasts = new Toasts();
