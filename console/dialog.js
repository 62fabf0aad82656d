/** The one dialog: a question with a way back. */

import { byId } from "./dom.js";

/**
 * Ask, and do it on a yes; what goes wrong is told in the dialog, which then stays open.
 * @param {{title: string, words: string, no: string, yes: string, act: () => Promise<void>, failed: (error: any) => string}} question
 * @returns {Promise<boolean>} whether it was done
 */
export function ask({ title, words, no, yes, act, failed }) {
  const dialog = byId("dialog");
  const [refuse, agree, problem] = [byId("dialog-no"), byId("dialog-yes"), byId("dialog-problem")];
  byId("dialog-title").textContent = title;
  byId("dialog-words").textContent = words;
  problem.textContent = "";
  refuse.textContent = no;
  agree.textContent = yes;
  agree.disabled = false;
  return new Promise((resolve) => {
    let done = false;
    refuse.onclick = () => dialog.close();
    agree.onclick = async () => {
      agree.disabled = true;
      problem.textContent = "";
      try {
        await act();
        done = true;
        dialog.close();
      } catch (error) {
        problem.textContent = failed(error);
        agree.disabled = false;
      }
    };
    dialog.addEventListener("close", () => resolve(done), { once: true });
    dialog.showModal();
    refuse.focus();
  });
}
