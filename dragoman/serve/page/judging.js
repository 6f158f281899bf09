// Thumbs and a better answer: what is thought of an answer is shown as said only once the server has stored it.
import { made, tool, announce } from "./dom.js";
import { judge } from "./asking.js";

const REASON = { 404: "The server keeps no record of this answer, so it can take no judgement of it." };

/** The controls by which one answer is judged. `answer` has `id`, `text`, `model` and `results`. */
export class Judgement {
  constructor(answer) {
    this.answer = answer;
    this.thumb = null;
    this.said = made("span", { class: "stored", role: "status" });
    this.up = tool("up", "Good answer", () => this.press("up"), { "aria-pressed": "false" });
    this.down = tool("down", "Bad answer", () => this.press("down"), { "aria-pressed": "false" });
    this.tools = [this.up, this.down];
    this.form = made("div", { class: "correcting", hidden: true });
  }

  /** Whether the server has an id by which this answer can be judged. */
  ready() {
    for (const one of this.tools) one.hidden = !this.answer.id;
  }

  async press(thumb) {
    const next = this.thumb === thumb ? null : thumb;
    if (await this.send(next)) {
      if (next === "down") this.open();
      else this.form.hidden = true;
    }
  }

  /** Send a thumb, and a correction with it; true once it is stored. */
  async send(thumb, correction = "", comment = "") {
    this.said.className = "stored";
    this.said.textContent = "Saving…";
    for (const one of this.tools) one.disabled = true;
    try {
      const told = await judge(this.answer.id, thumb, correction, comment);
      if (told.stored !== true) throw new Error("not stored");
      this.thumb = thumb;
      this.up.setAttribute("aria-pressed", String(thumb === "up"));
      this.down.setAttribute("aria-pressed", String(thumb === "down"));
      this.said.textContent = correction || comment ? "Saved. Thank you." : thumb ? "Saved." : "Taken back.";
      return true;
    } catch (error) {
      this.said.classList.add("wrong");
      this.said.textContent = `Not saved. ${REASON[error.status] ?? error.sentence ?? ""}`.trim();
      return false;
    } finally {
      for (const one of this.tools) one.disabled = false;
    }
  }

  /** Ask what it should have said. */
  open() {
    if (!this.form.hasChildNodes()) this.draw();
    this.form.hidden = false;
    this.form.querySelector("textarea, select").focus();
  }

  draw() {
    const labels = this.answer.model.task === "classify" ? this.answer.model.labels ?? [] : [];
    const field = labels.length
      ? made("select", { "aria-label": "The right label" }, ...labels.map((label) => made("option", { value: label }, label)))
      : made("textarea", { rows: 4, dir: "auto", "aria-label": "What it should have said", placeholder: "What it should have said" });
    if (labels.length) field.value = labels.find((label) => label !== this.answer.results?.label) ?? labels[0];
    else field.value = this.answer.text;
    const comment = made("textarea", { rows: 1, dir: "auto", "aria-label": "What was wrong", placeholder: "What was wrong (not needed)" });
    const send = made("button", { type: "button", class: "strong", on: { click: async () => {
      const changed = field.value.trim() && field.value !== this.answer.text ? field.value : "";
      if (!changed && !comment.value.trim()) {
        this.said.textContent = "Change the text, or say what was wrong.";
        return;
      }
      send.disabled = true;
      if (await this.send("down", changed, comment.value.trim())) {
        this.form.hidden = true;
        announce("The correction is saved");
        this.down.focus();
      }
      send.disabled = false;
    } } }, "Save correction");
    const leave = made("button", { type: "button", class: "plain", on: { click: () => {
      this.form.hidden = true;
      this.down.focus();
    } } }, "Leave it");
    this.form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        event.stopPropagation();
        leave.click();
      }
    });
    const title = labels.length ? "Which label is right?" : "What should it have said?";
    this.form.append(made("p", { class: "asked-for" }, title), field, comment, made("div", { class: "row" }, send, leave));
  }
}
