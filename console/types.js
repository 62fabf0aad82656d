/**
 * The documents of the API, for JSDoc alone: nothing loads this file. docs/api.md describes each field.
 *
 * @typedef {{field: string, code: string, message: string}} Violation
 *
 * @typedef {object} VideoRequest
 * @property {string} model
 * @property {{prompt: string, reference_urls: string[], audio_url?: string}} input
 * @property {Record<string, any>} parameters
 * @property {Record<string, string>} [metadata]
 * @property {string} [callback_url]
 *
 * @typedef {object} Attempt
 * @property {string} state
 * @property {string} started_at
 * @property {string} [task_id]
 * @property {{code: string, message: string}} [error]
 *
 * @typedef {object} Job
 * @property {string} id
 * @property {"queued"|"submitting"|"processing"|"completed"|"failed"|"canceled"} status
 * @property {number} progress
 * @property {string} created_at
 * @property {string} updated_at
 * @property {string} [submitted_at]
 * @property {string} [ended_at]
 * @property {VideoRequest} request
 * @property {{cost_usd: string}} estimate
 * @property {Violation[]} warnings
 * @property {Record<string, string>} metadata
 * @property {Attempt[]} attempts
 * @property {{content: {type: string, url: string, key?: string}[], jobId?: string}[]} [output]
 * @property {{cost?: string, discount?: number}|null} [usage]
 * @property {{code: string, message: string}} [waiting]
 * @property {boolean} [rescued]
 * @property {boolean} [cancel_requested]
 * @property {{code: string, message: string}} [error]
 *
 * @typedef {object} Estimate
 * @property {string|null} cost_usd
 * @property {string|null} tier
 * @property {number|null} seconds
 * @property {Violation[]} warnings
 * @property {Violation[]} violations
 */

export {};
