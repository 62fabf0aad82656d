/** The sound track: a URL, or a file of one's own that becomes an `s3://` name. */

import { byId } from "./dom.js";
import { explain } from "./errors.js";
import { UPLOADS } from "./rules.js";
import { fileProblem, upload } from "./upload.js";

export class SoundTrack {
  /**
   * @param {import("./api.js").Api} api
   * @param {() => void} onChange
   */
  constructor(api, onChange) {
    this.api = api;
    this.onChange = onChange;
    this.isUploading = false;
    const chooser = byId("audio-file");
    chooser.accept = Object.entries(UPLOADS).filter(([, { kind }]) => kind === "audio").flatMap(([mime, { ending }]) => [mime, `.${ending}`]).join();
    byId("choose-audio").addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      const [file] = chooser.files;
      if (file) this.take(file);
      chooser.value = "";
    });
  }

  get url() {
    return byId("audio-url").value.trim();
  }

  set url(text) {
    byId("audio-url").value = text;
  }

  /** @param {File} file */
  async take(file) {
    const [problem, button] = [byId("audio-file-problem"), byId("choose-audio")];
    problem.textContent = fileProblem(file, ["audio"]);
    if (problem.textContent || this.isUploading) return;
    const words = button.textContent;
    this.isUploading = button.disabled = true;
    this.onChange();
    try {
      this.url = await upload(this.api, file, (part) => (button.textContent = `${Math.round(part * 100)} %`), new AbortController().signal);
    } catch (error) {
      problem.textContent = `${file.name} was not uploaded. ${explain(/** @type {any} */ (error).code).what}`;
    } finally {
      this.isUploading = button.disabled = false;
      button.textContent = words;
      this.onChange();
    }
  }
}
