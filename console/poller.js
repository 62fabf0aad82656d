/** Asks for running jobs, each as often as its `Retry-After` advises, and not at all while nobody could see it. */

const FIRST_PAUSE = 4;
const LONGEST_PAUSE = 60;

export class Poller {
  /**
   * @param {import("./api.js").Api} api
   * @param {(job: import("./types.js").Job) => void} onJob
   * @param {(id: string) => void} onGone
   */
  constructor(api, onJob, onGone) {
    this.api = api;
    this.onJob = onJob;
    this.onGone = onGone;
    /** @type {Map<string, {due: number, faults: number}>} id -> when to ask (ms), failed calls in a row */
    this.jobs = new Map();
    this.timer = 0;
    this.isAsking = false;
    for (const event of ["online", "visibilitychange"]) {
      (event === "online" ? window : document).addEventListener(event, () => this.plan());
    }
  }

  /**
   * @param {string} id
   * @param {number} seconds until the first call
   */
  watch(id, seconds) {
    this.jobs.set(id, { due: Date.now() + seconds * 1000, faults: 0 });
    this.plan();
  }

  /** @param {string} id */
  forget(id) {
    this.jobs.delete(id);
  }

  plan() {
    clearTimeout(this.timer);
    if (this.isAsking || document.hidden || !navigator.onLine || !this.jobs.size) return;
    const due = Math.min(...[...this.jobs.values()].map((job) => job.due));
    this.timer = setTimeout(() => this.ask(), Math.max(0, due - Date.now()));
  }

  async ask() {
    const [id, job] = [...this.jobs].reduce((first, each) => (each[1].due < first[1].due ? each : first));
    this.isAsking = true;
    try {
      const { body, retryAfter } = await this.api.call("GET", `videos/${id}`);
      if (!this.jobs.has(id)) return;
      if (retryAfter === null) this.forget(id);
      else this.jobs.set(id, { due: Date.now() + Math.max(1, retryAfter) * 1000, faults: 0 });
      this.onJob(body);
    } catch (error) {
      this.failed(id, job, /** @type {import("./api.js").ApiError} */ (error));
    } finally {
      this.isAsking = false;
      this.plan();
    }
  }

  /**
   * @param {string} id
   * @param {{faults: number}} job
   * @param {import("./api.js").ApiError} error
   */
  failed(id, job, error) {
    if (error.status === 404) {
      this.forget(id);
      this.onGone(id);
      return;
    }
    const pause = error.retryAfter ?? Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** job.faults);
    if (error.status === 429) for (const other of this.jobs.values()) other.due = Math.max(other.due, Date.now() + pause * 1000);
    this.jobs.set(id, { due: Date.now() + pause * 1000, faults: job.faults + 1 });
  }
}
