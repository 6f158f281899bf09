// One answer as it comes: its text, its sources or labels, its tools, and what is known of where it comes from.
import { announce, copier, made, tool } from "./dom.js";
import { Growing } from "./markdown.js";
import { citing, drawSources } from "./sources.js";
import { drawLabels, drawNearness, drawTags } from "./labels.js";
import { Judgement } from "./judging.js";
import { Trouble } from "./api.js";

const FACTS = [
  ["project", "Project"], ["run", "Run"], ["verdict", "Verdict"], ["base", "Base model"], ["adapter", "Adapter"],
  ["data", "Data"], ["prompt", "Prompt"],
];
const SPOKEN = 1500; // characters of an answer that are read out at its end

export class Answer {
  /** `again` is called to answer the question once more. */
  constructor(model, question, again) {
    this.model = model;
    this.question = question;
    this.text = "";
    this.id = "";
    this.lineage = {};
    this.usage = null;
    this.results = null;
    this.passages = [];
    this.citations = [];
    this.finish = "";
    this.state = "waiting";
    this.began = performance.now();
    this.first = 0;
    this.pieces = 0;
    this.body = made("div", { class: "said" });
    this.growing = new Growing(this.body);
    this.extra = made("div", { class: "extra" });
    this.note = made("p", { class: "note said-note", hidden: true });
    this.judgement = new Judgement(this);
    this.again = tool("again", "Answer again", again);
    this.again.classList.add("again");
    this.figures = made("span", { class: "figures" });
    this.tools = made("div", { class: "tools", hidden: true }, copier(() => this.text, "Copy the answer"), this.again, ...this.judgement.tools, this.judgement.said, this.figures);
    this.about = made("details", { class: "about", hidden: true }, made("summary", {}, "About this answer"));
    this.head = made("header", {}, made("bdi", { class: "by" }, model.id));
    this.node = made("article", { class: "answer waiting", "aria-label": `Answer of ${model.id}`, "aria-busy": "true" }, this.head, this.body, this.extra, this.note, this.tools, this.judgement.form, this.about);
    this.frame = 0;
  }

  /** An answer out of a kept conversation. */
  static kept(model, question, message, again) {
    const one = new Answer(model, question, again);
    one.text = message.content;
    one.id = message.id ?? "";
    one.finished(false);
    return one;
  }

  /** One piece of news. */
  take(news) {
    if (news.id) this.id = news.id;
    if (news.lineage) this.lineage = { ...this.lineage, ...news.lineage };
    if (news.usage) this.usage = news.usage;
    if (news.finish) this.finish = news.finish;
    if (news.passages) {
      this.passages = news.passages;
      this.citations = news.citations;
    }
    if (news.refused) this.node.classList.add("refused");
    if (news.results) this.results = news.results;
    if (news.nearness) this.nearness = news.nearness;
    if (news.text || news.whole !== undefined) {
      if (!this.first) this.first = performance.now();
      if (news.text) this.pieces += 1;
      this.text = news.whole ?? this.text + news.text;
      this.state = "writing";
      this.node.classList.remove("waiting");
      this.node.classList.add("writing");
      if (!this.frame) this.frame = requestAnimationFrame(() => this.draw());
    }
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.growing.show(this.text);
    this.drawn?.();
  }

  /** The answer is over; `spoken` where readers of the screen are to hear it. */
  finished(spoken = true) {
    this.state = "done";
    this.ended = performance.now();
    this.node.classList.remove("waiting", "writing");
    this.node.setAttribute("aria-busy", "false");
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    if (this.results) {
      this.body.replaceChildren(...(this.model.task === "tag" ? drawTags(this.question, this.results, this.model.labels ?? []) : drawLabels(this.results)));
    } else if (this.nearness?.length) this.body.replaceChildren(...drawNearness(this.question.split("\n")[0].trim(), this.nearness));
    else if (this.passages.length) {
      this.growing.renew(this.text, citing(this.passages, this.citations));
      this.extra.replaceChildren(drawSources(this.passages, this.citations));
    } else this.growing.show(this.text);
    if (this.finish === "length") this.tell("Cut off at the longest answer that is set.");
    if (!this.text && spoken) this.tell("The model wrote nothing.");
    this.judgement.ready();
    this.tools.hidden = false;
    this.drawFigures(spoken);
    this.drawAbout();
    if (spoken) announce(`${this.model.id}: ${this.text.slice(0, SPOKEN)}`);
  }

  tell(text) {
    this.note.textContent = text;
    this.note.hidden = false;
  }

  stopped() {
    if (this.text) this.finished(false);
    else {
      this.state = "stopped";
      this.node.classList.remove("waiting", "writing");
      this.node.setAttribute("aria-busy", "false");
      this.tools.hidden = false;
      this.judgement.ready();
    }
    this.tell("Stopped.");
    announce("Stopped");
  }

  /** Say what went wrong, count down where the server said for how long, and offer to try again. */
  failed(error, retry) {
    const trouble = error instanceof Trouble ? error : new Trouble(0, "this page failed on what it was sent");
    if (this.text) this.finished(false);
    this.state = "failed";
    this.node.classList.remove("waiting", "writing");
    this.node.setAttribute("aria-busy", "false");
    const count = made("span", { class: "count" });
    const button = made("button", { type: "button", class: "plain", on: { click: retry } }, "Try again");
    const until = performance.now() + 1000 * trouble.wait;
    const tick = () => {
      const left = Math.ceil((until - performance.now()) / 1000);
      button.disabled = left > 0;
      count.textContent = left > 0 ? `It can be tried again in ${left} s. ` : "";
      if (left > 0 && this.node.isConnected) setTimeout(tick, 250);
    };
    this.extra.replaceChildren(made("div", { class: "trouble", role: "alert" }, made("p", { dir: "auto" }, trouble.sentence), made("p", { class: "row" }, count, button)));
    this.node.isConnected ? tick() : setTimeout(tick, 0);
  }

  drawFigures(fresh) {
    const told = [];
    const tokens = this.usage?.completion_tokens;
    if (tokens) told.push(`${tokens} ${tokens === 1 ? "token" : "tokens"}`);
    const seconds = (this.ended - this.first) / 1000;
    if (tokens > 1 && this.pieces > 1 && seconds > 0.05) told.push(`${((tokens - 1) / seconds).toFixed(1)} a second`);
    if (fresh && this.first && !told.length && this.ended - this.began >= 100) told.push(`${((this.ended - this.began) / 1000).toFixed(1)} s`);
    this.figures.textContent = told.join(" · ");
  }

  drawAbout() {
    const rows = [["Model", this.model.id]];
    for (const [name, label] of FACTS) {
      const value = this.lineage[name] ?? (name === "verdict" || name === "run" || name === "base" || name === "adapter" ? this.model[name] : "");
      if (value) rows.push([label, String(value)]);
    }
    if (this.usage) rows.push(["Tokens", `${this.usage.prompt_tokens ?? 0} read, ${this.usage.completion_tokens ?? 0} written`]);
    if (this.first) rows.push(["First word after", `${((this.first - this.began) / 1000).toFixed(2)} s`]);
    if (this.id) rows.push(["Id", this.id]);
    const list = made("dl", {}, ...rows.flatMap(([label, value]) => [made("dt", {}, label), made("dd", {}, made("bdi", {}, value))]));
    this.about.querySelector("dl")?.remove();
    this.about.append(list);
    this.about.hidden = false;
    this.head.querySelector(".judged")?.remove();
    const verdict = this.lineage.verdict ?? this.model.verdict;
    if (verdict) this.head.append(made("span", { class: `judged ${verdict === "met" ? "met" : "unmet"}` }, verdict === "met" ? "met its target" : String(verdict)));
  }
}
