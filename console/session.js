/** What this tab remembers: the key until it is closed or signed out, and a draft. */

const KEY = "wanflow.key";
const NOTICE = "wanflow.notice";
const DRAFT = "wanflow.draft";

/** @returns {string|null} */
export const readKey = () => sessionStorage.getItem(KEY);

/** @param {string} key */
export const keepKey = (key) => sessionStorage.setItem(KEY, key);

/** Forget the key and everything else of this tab. */
export function signOut() {
  sessionStorage.clear();
  location.reload();
}

/**
 * Back to the sign-in page, which says why; the draft stays.
 * @param {string} notice
 */
export function turnOut(notice) {
  sessionStorage.removeItem(KEY);
  sessionStorage.setItem(NOTICE, notice);
  location.reload();
}

/** Why one was turned out; told once. */
export function takeNotice() {
  const notice = sessionStorage.getItem(NOTICE);
  sessionStorage.removeItem(NOTICE);
  return notice;
}

/** @param {object} draft */
export const keepDraft = (draft) => sessionStorage.setItem(DRAFT, JSON.stringify(draft));

/** @returns {any} */
export function readDraft() {
  const text = sessionStorage.getItem(DRAFT);
  return text ? JSON.parse(text) : null;
}
