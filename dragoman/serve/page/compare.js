// Two answers to one question side by side, and which of them is the better one.
import { announce, made } from "./dom.js";

/** The columns of a turn with two answers. `picked` is called with the place of the better one. */
export function columns(answers, picked) {
  const said = made("p", { class: "note", role: "status" });
  const buttons = answers.map((answer, place) =>
    made("button", { type: "button", class: "plain pick", disabled: true, "aria-pressed": "false", on: { click: () => choose(place) } }, "This one is better"),
  );
  const sides = answers.map((answer, place) => made("div", { class: "column" }, answer.node, buttons[place]));
  const choose = async (place) => {
    for (const button of buttons) button.disabled = true;
    sides.forEach((side, other) => side.classList.toggle("better", other === place));
    buttons.forEach((button, other) => button.setAttribute("aria-pressed", String(other === place)));
    picked(place);
    // Both are told: one was preferred, the other was not.
    const stored = await Promise.all(answers.map((answer, other) => (answer.id ? answer.judgement.send(other === place ? "up" : "down") : false)));
    said.textContent = stored.every(Boolean) ? "Saved. The conversation goes on from the one you picked." : "The conversation goes on from the one you picked; your choice was not saved.";
    announce(said.textContent);
    for (const button of buttons) button.disabled = false;
  };
  const node = made("div", { class: "pair" }, made("div", { class: "columns" }, ...sides), said);
  return {
    node,
    /** Both are there: one may be picked. */
    ready() {
      const able = answers.every((answer) => answer.state === "done");
      for (const button of buttons) button.disabled = !able;
    },
  };
}
