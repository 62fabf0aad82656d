/** The API's calls: one place where requests go out and where every failure becomes an `ApiError`. */

/** The API's root: this file lies in {root}/console/{version}/. */
export const ROOT = new URL("../../", import.meta.url);

const PATIENCE_MS = 35_000;
const BREATH_MS = 400;
const PASSING = [0, 429, 500, 502, 503, 504];

/** A call that failed; `status` is 0 when there was no answer at all. */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} message
   * @param {import("./types.js").Violation[]} [violations]
   * @param {number|null} [retryAfter] seconds
   */
  constructor(status, code, message, violations = [], retryAfter = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.violations = violations;
    this.retryAfter = retryAfter;
  }

  /** Whether the same call may well succeed a little later. */
  get isPassing() {
    return PASSING.includes(this.status) && this.code !== "quota_exceeded";
  }
}

/** @typedef {{body?: unknown, headers?: Record<string, string>, signal?: AbortSignal}} CallOptions */

export class Api {
  /**
   * @param {string} key the API key
   * @param {() => void} [onForbidden] called when the key is not taken (any more)
   */
  constructor(key, onForbidden = () => {}) {
    this.key = key;
    this.onForbidden = onForbidden;
  }

  /**
   * One call; one that changes nothing is made again at once when it got no answer at all.
   * @param {string} method
   * @param {string} path relative to the API's root, such as "videos"
   * @param {CallOptions} [options]
   * @returns {Promise<{status: number, body: any, retryAfter: number|null}>}
   */
  async call(method, path, options = {}) {
    try {
      return await this.callOnce(method, path, options);
    } catch (error) {
      const isHarmless = method === "GET" || path === "estimates" || path === "uploads";
      if (/** @type {ApiError} */ (error).code !== "no_answer" || !isHarmless) throw error;
      await new Promise((resolve) => setTimeout(resolve, BREATH_MS));
      return await this.callOnce(method, path, options);
    }
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {CallOptions} options
   */
  async callOnce(method, path, { body, headers = {}, signal }) {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    let answer;
    let text;
    try {
      answer = await fetch(new URL(path, ROOT), {
        method,
        headers: { "x-api-key": this.key, ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, patience]) : patience,
        cache: "no-store",
      });
      text = await answer.text();
    } catch (error) {
      if (signal?.aborted) throw error;
      throw new ApiError(0, navigator.onLine ? "no_answer" : "offline", "no answer came");
    }
    const retryAfter = seconds(answer.headers.get("retry-after"));
    if (answer.ok) return { status: answer.status, body: text ? JSON.parse(text) : null, retryAfter };
    throw this.refusal(answer.status, text, retryAfter);
  }

  /**
   * @param {number} status
   * @param {string} text
   * @param {number|null} retryAfter
   */
  refusal(status, text, retryAfter) {
    if (status === 403) this.onForbidden();
    try {
      const { code, message, violations } = JSON.parse(text).error;
      return new ApiError(status, code, message, violations, retryAfter);
    } catch {
      return new ApiError(status, "internal_error", `HTTP ${status}`, [], retryAfter);
    }
  }
}

/** @param {string|null} header */
function seconds(header) {
  const value = Number.parseInt(header ?? "", 10);
  return Number.isFinite(value) && value >= 0 ? value : null;
}
