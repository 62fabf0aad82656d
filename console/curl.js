/** A job as a command for a shell: never with the key itself. */

import { ROOT } from "./api.js";

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * @param {import("./types.js").Job} job
 * @returns {string}
 */
export function asCurl(job) {
  const body = { ...job.request, ...(Object.keys(job.metadata).length ? { metadata: job.metadata } : {}) };
  return [
    `curl -s ${quoted(new URL("videos", ROOT).href)}`,
    `  -H "x-api-key: $API_KEY" -H 'content-type: application/json'`,
    `  -d ${quoted(JSON.stringify(body, null, 2))}`,
  ].join(" \\\n");
}
