/** A video as a file: fetched first, because a link to another host only opens it. */

import { h } from "./dom.js";

/**
 * @param {string} url
 * @param {string} name
 * @param {(part: number) => void} onProgress from 0 to 1, where the length is known
 */
export async function download(url, name, onProgress) {
  const answer = await fetch(url);
  if (!answer.ok || !answer.body) throw new Error(`HTTP ${answer.status}`);
  const total = Number(answer.headers.get("content-length")) || 0;
  let loaded = 0;
  const counted = answer.body.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        loaded += chunk.byteLength;
        if (total) onProgress(loaded / total);
        controller.enqueue(chunk);
      },
    }),
  );
  const address = URL.createObjectURL(await new Response(counted).blob());
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
