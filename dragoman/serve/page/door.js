// Asks for a key where the server wants one, and does again what it refused.
import { answered, made, part } from "./dom.js";
import { hasKey, useKey } from "./api.js";

let asking = null; // the dialog that is open: two requests refused at once ask once

function askKey() {
  asking ??= (async () => {
    const field = part("key-field");
    part("key-trouble").textContent = hasKey() ? "That key is not taken: it may be mistyped, revoked or over." : "";
    field.value = "";
    const answer = answered(part("key"));
    field.focus();
    const given = (await answer) === "yes" ? field.value.trim() : "";
    field.value = "";
    asking = null;
    if (given) useKey(given);
    return given !== "";
  })();
  return asking;
}

/** Do something; where a key is wanted, ask for it and do it again, until it works or nobody gives one. */
export async function guarded(act) {
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (error.status !== 401 || !(await askKey())) throw error;
      part("leave").hidden = false;
    }
  }
}

/** Enter in the field of the key gives it; what is kept of it may be forgotten. */
export function wireKey() {
  part("key-field").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.isComposing) part("key").querySelector("[data-answer=yes]").click();
  });
  part("leave").hidden = !hasKey();
  part("leave").addEventListener("click", () => {
    useKey("");
    location.reload();
  });
}

/** What is shown before anything was asked. */
export function greeting(model, way) {
  const doing = {
    chat: "Ask something, or give it a task.",
    complete: "It goes on from what you write.",
    ask: "It answers from its documents, and shows the passage behind each statement.",
    classify: "Give it a text, and it says which label fits and how sure it is.",
    tag: "Give it a text, and it marks the words it was taught to find.",
    embed: "Write one text a line, and it says how near each stands to the first.",
    none: "This server serves no model that a page can use.",
  };
  const facts = model ? [["Task", model.task], ["Run", model.run], ["Base", model.base], ["Adapter", model.adapter], ["Verdict", model.verdict === "met" ? "met its target" : model.verdict]].filter(([, value]) => value) : [];
  return made(
    "div",
    { class: "greeting" },
    made("h2", {}, made("bdi", {}, model?.id ?? "No model")),
    made("p", {}, doing[way]),
    made("dl", {}, ...facts.flatMap(([label, value]) => [made("dt", {}, label), made("dd", {}, made("bdi", {}, String(value)))])),
    made("p", { class: "keys" }, made("kbd", {}, "Enter"), " asks ", made("kbd", {}, "Shift Enter"), " new line ", made("kbd", {}, "Esc"), " stops ", made("kbd", {}, "Ctrl K"), " new conversation ", made("kbd", {}, "/"), " to the question"),
  );
}
