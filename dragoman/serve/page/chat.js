// A conversation: questions and their answers, asked, stopped, asked again and changed.
import { copier, made, tool } from "./dom.js";
import { asked } from "./asking.js";
import { Answer } from "./answer.js";
import { columns } from "./compare.js";

const NEAR = 90; // pixels from the end at which the page follows what is written

export class Thread {
  /** `room` knows the models, the settings and what to do around a request: `models()`, `settings`, `changed`, `guarded`. */
  constructor(place, scroller, room) {
    this.place = place;
    this.scroller = scroller;
    this.room = room;
    this.turns = [];
    this.control = null;
    this.follow = true;
    scroller.addEventListener("scroll", () => {
      this.follow = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    }, { passive: true });
  }

  get busy() {
    return this.control !== null;
  }

  /** What was said so far, before a turn, in the shape it is kept in. */
  messages(until = this.turns.length) {
    return this.turns.slice(0, until).flatMap((turn) => {
      const answer = turn.answers[turn.picked];
      if (!answer?.text) return [];
      return [{ role: "user", content: turn.question }, { role: "assistant", content: answer.text, ...(answer.id ? { id: answer.id } : {}) }];
    });
  }

  clear() {
    this.stop();
    this.turns = [];
    this.place.replaceChildren();
    this.follow = true;
  }

  /** Show a conversation that was kept. */
  open(messages, model) {
    this.clear();
    let question = "";
    for (const message of messages) {
      if (message.role === "user") question = String(message.content);
      else if (message.role === "assistant") {
        const turn = this.begin(question);
        turn.answers = [Answer.kept(model, question, { content: String(message.content), id: message.id }, () => this.again(turn))];
        turn.node.append(turn.answers[0].node);
        question = "";
      }
    }
    this.end(true);
  }

  begin(question) {
    const turn = { question, answers: [], picked: 0, node: made("section", { class: "turn" }) };
    const said = made("div", { class: "question" }, made("p", { dir: "auto" }, question));
    const tools = made("div", { class: "tools" }, copier(() => turn.question, "Copy the question"), tool("edit", "Change the question", () => this.edit(turn), { class: "tool change" }));
    turn.node.append(made("div", { class: "asked" }, said, tools));
    this.turns.push(turn);
    this.place.append(turn.node);
    return turn;
  }

  /** Ask a question: of one model, or of two. */
  async send(question) {
    if (this.busy) return;
    const turn = this.begin(question);
    this.follow = true;
    await this.run(turn);
  }

  /** Answer the last question once more. */
  async again(turn) {
    if (this.busy || turn !== this.turns.at(-1)) return;
    const before = turn.answers.map((answer) => answer.text);
    await this.run(turn, true);
    turn.answers.forEach((answer, place) => {
      if (answer.state === "done" && answer.text && answer.text === before[place]) answer.tell("The same answer again: at temperature 0 it always is. Raise the temperature in the settings for others.");
    });
  }

  async run(turn, anew = false) {
    const models = this.room.models();
    const settings = this.room.settings;
    const sampling = { ...settings.sampling };
    // Another draw, where the model draws at all and nobody fixed the seed.
    if (anew && sampling.temperature > 0 && sampling.seed === undefined) sampling.seed = Math.floor(Math.random() * 2147483647);
    const before = this.messages(this.turns.indexOf(turn));
    const control = new AbortController();
    this.control = control;
    turn.picked = 0;
    turn.answers = models.map((model) => new Answer(model, turn.question, () => this.again(turn)));
    for (const old of turn.node.querySelectorAll(":scope > .answer, :scope > .pair")) old.remove();
    const pair = turn.answers.length > 1 ? columns(turn.answers, (place) => {
      turn.picked = place;
      this.room.changed();
    }) : null;
    turn.node.append(pair ? pair.node : turn.answers[0].node);
    this.end();
    this.room.state();
    await Promise.all(turn.answers.map((answer) => this.answer(answer, before, { system: settings.system, sampling }, control.signal, turn)));
    if (this.control === control) this.control = null;
    pair?.ready();
    this.room.state();
    if (turn.answers.some((answer) => answer.text) && this.turns.includes(turn)) this.room.changed();
  }

  async answer(answer, before, settings, signal, turn) {
    answer.drawn = () => this.end();
    try {
      await this.room.guarded(async () => {
        answer.began = performance.now();
        for await (const news of asked(answer.model, before, answer.question, settings, signal)) answer.take(news);
      });
      answer.finished();
    } catch (error) {
      if (signal.aborted) answer.stopped();
      else answer.failed(error, () => this.busy || this.run(turn));
    }
    this.end();
  }

  /** Stop what is being written. What was written so far stays. */
  stop() {
    const control = this.control;
    this.control = null;
    control?.abort();
  }

  /** Change the last question and ask it again. */
  edit(turn) {
    if (this.busy || turn !== this.turns.at(-1) || turn.node.querySelector(".editing")) return;
    const asked = turn.node.querySelector(".asked");
    const field = made("textarea", { rows: Math.min(12, turn.question.split("\n").length + 1), dir: "auto", "aria-label": "The question" });
    field.value = turn.question;
    const leave = () => {
      editing.remove();
      asked.hidden = false;
      asked.querySelector(".change").focus();
    };
    const send = () => {
      const text = field.value.trim();
      if (!text || this.busy) return;
      turn.question = text;
      asked.querySelector(".question p").textContent = text;
      leave();
      this.run(turn);
    };
    const editing = made("div", { class: "editing" }, field, made("div", { class: "row" }, made("button", { type: "button", class: "strong", on: { click: send } }, "Ask again"), made("button", { type: "button", class: "plain", on: { click: leave } }, "Leave it")));
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        send();
      } else if (event.key === "Escape") {
        event.stopPropagation();
        leave();
      }
    });
    asked.hidden = true;
    turn.node.prepend(editing);
    field.focus();
  }

  /** Follow the end of what is written, unless somebody scrolled away from it. */
  end(always = false) {
    if (this.follow || always) this.scroller.scrollTop = this.scroller.scrollHeight;
  }
}
