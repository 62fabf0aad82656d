/** Sending a request: one Idempotency-Key for as long as the request stays the same, so that it is never paid twice. */

import { ApiError } from "./api.js";

const KEPT = "wanflow.submission";
const TRIES = 4;

/**
 * The key of this request: the one of the last try when nothing has changed since, else a new one.
 * @param {string} text the request as JSON
 */
function keyOf(text) {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  if (kept.text === text) return kept.key;
  const key = crypto.randomUUID();
  sessionStorage.setItem(KEPT, JSON.stringify({ text, key }));
  return key;
}

/**
 * Make a job. Passing faults are tried again with the same key.
 * @param {import("./api.js").Api} api
 * @param {import("./types.js").VideoRequest} request
 * @param {(seconds: number) => void} onWait
 * @returns {Promise<{job: import("./types.js").Job, retryAfter: number}>}
 */
export async function submit(api, request, onWait) {
  const key = keyOf(JSON.stringify(request));
  for (let tries = 1; ; tries += 1) {
    try {
      const { body, retryAfter } = await api.call("POST", "videos", { body: request, headers: { "Idempotency-Key": key } });
      sessionStorage.removeItem(KEPT);
      return { job: body, retryAfter: retryAfter ?? 1 };
    } catch (error) {
      if (!(error instanceof ApiError) || !error.isPassing || error.code === "offline" || tries === TRIES) throw error;
      const pause = error.retryAfter ?? 2 ** (tries - 1);
      onWait(pause);
      await new Promise((resolve) => setTimeout(resolve, pause * 1000 * (1 + Math.random() / 4)));
    }
  }
}
