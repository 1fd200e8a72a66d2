// Renders of one hook: each change by itself as long as they are few, one per frame while there are many.

const BURST = 60;
const PER_SECOND = 60;

export class RenderLimit {
  readonly #render: () => void;
  #left = BURST;
  #refilled = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(render: () => void) {
    this.#render = render;
  }

  /** Asks for a render that shows what has changed by now. */
  request(): void {
    if (this.#timer !== null) return;
    const now = Date.now();
    this.#left = Math.min(BURST, this.#left + (Math.max(0, now - this.#refilled) * PER_SECOND) / 1000);
    this.#refilled = now;
    if (this.#left < 1) {
      this.#timer = setTimeout(() => this.#run(), 1000 / PER_SECOND);
      return;
    }
    this.#run();
  }

  cancel(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #run(): void {
    this.#timer = null;
    this.#left = Math.max(0, this.#left - 1);
    this.#render();
  }
}
