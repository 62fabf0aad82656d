/** Files: judged by type and size before anything is sent, then put into the bucket by a presigned POST. */

import { ApiError } from "./api.js";
import { bytes } from "./format.js";
import { MAX_BYTES, UPLOADS } from "./rules.js";

/** @type {Record<string, string>} endings and types that browsers spell differently */
const ALIASES = { jpeg: "image/jpeg", "audio/x-wav": "audio/wav", "audio/wave": "audio/wav", "audio/vnd.wave": "audio/wav", "audio/mp3": "audio/mpeg" };
const OF_ENDING = Object.fromEntries(Object.entries(UPLOADS).map(([mime, { ending }]) => [ending, mime]));

/**
 * The content type as the API names it, "" for what it does not take.
 * @param {File} file
 */
export function contentType(file) {
  const named = ALIASES[file.type] ?? file.type;
  if (named in UPLOADS) return named;
  const ending = file.name.toLowerCase().split(".").pop() ?? "";
  return named ? "" : (OF_ENDING[ending] ?? ALIASES[ending] ?? "");
}

/**
 * What kind of thing a content type is.
 * @param {string} type
 * @returns {"image"|"video"|"audio"|""}
 */
export const kindOf = (type) => /** @type {any} */ (UPLOADS)[type]?.kind ?? "";

/**
 * Why a file cannot be taken, "" when it can.
 * @param {File} file
 * @param {string[]} kinds
 */
export function fileProblem(file, kinds) {
  const kind = kindOf(contentType(file));
  if (!kind || !kinds.includes(kind)) {
    const endings = Object.values(UPLOADS).filter((type) => kinds.includes(type.kind)).map(({ ending }) => ending);
    return `${file.name} is not taken: choose ${endings.join(", ")}.`;
  }
  const most = MAX_BYTES[kind];
  if (file.size > most) return `${file.name} has ${bytes(file.size)}; at most ${bytes(most)} are taken.`;
  return file.size ? "" : `${file.name} is empty.`;
}

/**
 * Put a file into the bucket.
 * @param {import("./api.js").Api} api
 * @param {File} file
 * @param {(part: number) => void} onProgress from 0 to 1
 * @param {AbortSignal} signal
 * @returns {Promise<string>} its `s3://` name
 */
export async function upload(api, file, onProgress, signal) {
  const place = await api.call("POST", "uploads", { body: { content_type: contentType(file), bytes: file.size }, signal });
  const form = new FormData();
  for (const [name, value] of Object.entries(place.body.fields)) form.append(name, /** @type {string} */ (value));
  form.append("file", file);
  await send(place.body.url, form, onProgress, signal);
  return place.body.reference;
}

/**
 * POST a form; XMLHttpRequest, because fetch does not tell how far an upload is.
 * @param {string} url
 * @param {FormData} form
 * @param {(part: number) => void} onProgress
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function send(url, form, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.upload.addEventListener("progress", ({ loaded, total }) => onProgress(total ? loaded / total : 0));
    request.addEventListener("load", () => {
      if (request.status >= 200 && request.status < 300) resolve();
      else reject(new ApiError(request.status, "upload_refused", `the bucket answered with HTTP ${request.status}`));
    });
    request.addEventListener("error", () => reject(new ApiError(0, navigator.onLine ? "no_answer" : "offline", "the upload broke off")));
    request.addEventListener("abort", () => reject(new DOMException("aborted", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
