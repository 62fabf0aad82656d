/** Every code in words: what happened and what to do (docs/errors.md). A test holds this table to that page. */

/** @type {string[]} */
const REFUSED = ["The provider refused the request.", "Nothing was paid. Change the references and send it again."];
const FAILED = ["The provider could not generate this video.", "Nothing was paid. Send it again later, or change the prompt."];

/** @type {Record<string, string[]>} */
const WORDS = {
  "001028001": REFUSED,
  "001028002": REFUSED,
  "001028003": REFUSED,
  "001028004": REFUSED,
  "001028095": FAILED,
  "001028096": FAILED,
  "001028097": ["The provider answered with an error.", "Send it again later."],
  "001028098": ["The provider could not tell the task's state.", "Send it again later."],
  "001028099": ["The provider created no task, however often it was asked.", "Nothing was paid. Send it again later."],
  generation_failed: FAILED,
  provider_unreachable: ["The provider could not be reached.", "Nothing was paid. Ask whoever runs this stack whether WanApiBaseUrl is right."],
  provider_unauthorized: ["The provider did not take this stack's key.", "Nothing was paid. Ask whoever runs this stack to put the right key in."],
  provider_error: ["The provider refused the request.", "Nothing was paid. The message below tells why."],
  submit_outcome_unknown: ["The request went out, but no usable answer came.", "It may have been paid for. Have the provider's console checked before you send it again."],
  deadline_exceeded: ["No video came in time.", "It may have been paid for. Wait: a late video is still brought home within 24 hours."],
  queue_timeout: ["The job waited too long for a free slot.", "Nothing was paid. Send it again when less is going on."],
  result_unavailable: ["The video was made, but the provider did not deliver it.", "It was probably paid for. The task's id below names it to the provider."],
  canceled: ["You canceled this video.", ""],
  invalid_request: ["The request breaks a rule, or an upload was gone.", "Nothing was paid. Mend it, or upload the file again."],
  internal_error: ["Something broke on our side.", "Repeat it; if it stays, whoever runs this stack finds the reason in the log."],
  budget_exceeded: ["A spending limit would be passed.", "Nothing was paid. Wait for the next day (UTC), make it shorter or smaller, or have the limit raised."],
  forbidden: ["The API key was not taken.", "Sign in with a valid key."],
  not_found: ["There is no such video.", "It may have been deleted."],
  conflict: ["That does not go together with what happened before.", "The message tells why; reload the list."],
  too_large: ["The request is too large.", "Upload the files, or name them by URL."],
  unsupported_media_type: ["The request was not sent as JSON.", "Reload the page."],
  too_many_requests: ["Too many requests at once.", "It goes on by itself in a moment."],
  quota_exceeded: ["Today's requests for this key are used up.", "Wait for the next day, or have the quota raised."],
  unavailable: ["AWS is failing for a moment.", "Try again shortly; nothing is made or paid twice."],
  submits_paused: ["Submits are paused.", "It keeps its place, at no cost."],
  provider_unavailable: ["The provider is failing.", "It keeps its place, at no cost, and goes out when the provider is back."],
  no_answer: ["No answer came.", "Try again; nothing is made or paid twice."],
  offline: ["You are offline.", "Everything goes on when the connection is back."],
};

/**
 * @param {string} code
 * @returns {{what: string, todo: string}}
 */
export function explain(code) {
  // A code may be the provider's own word, even one like "constructor", which every object has.
  const [what, todo] = Object.hasOwn(WORDS, code) ? WORDS[code] : ["It did not work.", "The message tells more."];
  return { what, todo };
}
