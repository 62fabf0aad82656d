/** The console: sign in, then the form and the gallery side by side, or one at a time on a small screen. */

import { Api } from "./api.js";
import { Compose } from "./compose.js";
import { byId } from "./dom.js";
import { explain } from "./errors.js";
import { Gallery } from "./gallery.js";
import { keepKey, readKey, signOut, takeNotice, turnOut } from "./session.js";

const NO_SUCH_KEY = "This key is not valid here, or not any more.";

/** @param {string} notice */
function showSignIn(notice) {
  const [form, field, problem, button] = [byId("sign-in"), byId("key"), byId("key-problem"), byId("enter")];
  form.hidden = false;
  problem.textContent = notice;
  field.focus();
  form.addEventListener("submit", async (/** @type {Event} */ event) => {
    event.preventDefault();
    const key = field.value.trim();
    problem.textContent = key ? "" : "Enter an API key.";
    if (!key) return field.focus();
    button.disabled = true;
    try {
      problem.textContent = await refusal(key);
    } finally {
      button.disabled = false;
    }
    field.setAttribute("aria-invalid", String(Boolean(problem.textContent)));
    if (problem.textContent) return field.select();
    keepKey(key);
    field.value = "";
    form.hidden = true;
    enter(key);
    byId("compose-title").focus();
  });
}

/**
 * Why a key is of no use now, "" when it is.
 * @param {string} key
 */
async function refusal(key) {
  // Header values are bytes: what is none of ASCII cannot be a key, and fetch would not send it.
  if (!/^[\x21-\x7e]+$/.test(key)) return NO_SUCH_KEY;
  try {
    await new Api(key).call("GET", "videos?limit=1");
    return "";
  } catch (error) {
    const { status, code } = /** @type {import("./api.js").ApiError} */ (error);
    return status === 403 ? NO_SUCH_KEY : `${explain(code).what} ${explain(code).todo}`;
  }
}

/** @param {string} key */
function enter(key) {
  for (const id of ["work", "views", "sign-out"]) byId(id).hidden = false;
  const api = new Api(key, () => turnOut(NO_SUCH_KEY));
  const gallery = new Gallery(api, (job) => {
    showView("compose");
    compose.again(job);
  });
  const compose = new Compose(api, (job, retryAfter) => {
    const card = gallery.add(job, retryAfter);
    showView("gallery");
    card.focus();
  });
  gallery.load();
}

/** @param {string} view "compose" or "gallery"; a wide screen shows both */
function showView(view) {
  byId("work").dataset.view = view;
  for (const button of byId("views").children) {
    if (button.dataset.view === view) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
}

function showConnection() {
  byId("offline").textContent = navigator.onLine ? "" : "You are offline. What you see stays; everything goes on when the connection is back.";
}

for (const event of ["online", "offline"]) window.addEventListener(event, showConnection);
showConnection();
byId("sign-out").addEventListener("click", signOut);
byId("views").addEventListener("click", (/** @type {MouseEvent} */ { target }) => {
  const { view } = /** @type {HTMLElement} */ (target).dataset;
  if (!view) return;
  showView(view);
  byId(`${view}-title`).focus();
});
byId("starting").hidden = true;
sessionStorage.removeItem("wanflow.tries");
const key = readKey();
if (key) enter(key);
else showSignIn(takeNotice() ?? "");
