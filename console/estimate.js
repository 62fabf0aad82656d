/** What the request would cost and what is wrong with it, asked for shortly after each change. */

const PAUSE_MS = 350;
const AGAIN_MS = 5000;

export class Estimator {
  /**
   * @param {import("./api.js").Api} api
   * @param {() => import("./types.js").VideoRequest} read
   * @param {(estimate: import("./types.js").Estimate|null, error: any) => void} onAnswer
   */
  constructor(api, read, onAnswer) {
    this.api = api;
    this.read = read;
    this.onAnswer = onAnswer;
    this.timer = 0;
    this.running = new AbortController();
    window.addEventListener("online", () => this.soon());
  }

  /** Ask once nothing has changed for a moment. */
  soon(pause = PAUSE_MS) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.now(), pause);
  }

  /** @returns {Promise<import("./types.js").Estimate|null>} null when it failed or something changed meanwhile */
  async now() {
    clearTimeout(this.timer);
    this.running.abort();
    const mine = new AbortController();
    this.running = mine;
    try {
      const { body } = await this.api.call("POST", "estimates", { body: this.read(), signal: mine.signal });
      this.onAnswer(body, null);
      return body;
    } catch (error) {
      if (mine.signal.aborted) return null;
      this.onAnswer(null, error);
      if (/** @type {import("./api.js").ApiError} */ (error).isPassing && navigator.onLine) this.soon(AGAIN_MS);
      return null;
    }
  }
}
