// How a model writes, as far as somebody says so: what is left empty stays as the model was judged.
import { kept, made } from "./dom.js";

// name, its label, one line of what it does, and what the server takes
const FIELDS = [
  ["temperature", "Temperature", "0 always takes the likeliest word; higher takes more chances.", 0, 2, 0.1],
  ["top_p", "Top p", "Draws among the likeliest words that make up this share; 1 is all of them.", 0.01, 1, 0.01],
  ["top_k", "Top k", "Draws among this many likeliest words; 0 is all of them.", 0, 1000, 1],
  ["min_p", "Min p", "Drops words less likely than this share of the likeliest one; 0 drops none.", 0, 1, 0.01],
  ["max_tokens", "Longest answer", "Stops after this many tokens; a token is about three quarters of a word.", 1, 100000, 1],
  ["frequency_penalty", "Frequency penalty", "Makes a word less likely each time it was used.", -2, 2, 0.1],
  ["presence_penalty", "Presence penalty", "Makes every word less likely once it was used.", -2, 2, 0.1],
  ["seed", "Seed", "The same number, question and settings give the same answer again.", 0, 2147483647, 1],
];

/** What was set: `sampling` is what a request carries besides the question, `system` what the model is told first. */
export class Settings {
  constructor() {
    this.values = {};
    this.system = kept.get("system") ?? "";
    this.stop = kept.get("stop") ?? "";
    try {
      const held = JSON.parse(kept.get("sampling") ?? "{}");
      for (const [name, , , low, high] of FIELDS) if (typeof held?.[name] === "number" && held[name] >= low && held[name] <= high) this.values[name] = held[name];
    } catch {
      // what was kept cannot be read: nothing is set
    }
  }

  get sampling() {
    const stops = this.stop.split("\n").filter((line) => line !== "").slice(0, 4);
    return { ...this.values, ...(stops.length ? { stop: stops } : {}) };
  }

  get changed() {
    return Object.keys(this.sampling).length + (this.system.trim() ? 1 : 0);
  }

  keep() {
    kept.put("sampling", Object.keys(this.values).length ? JSON.stringify(this.values) : null);
    kept.put("system", this.system || null);
    kept.put("stop", this.stop || null);
  }

  reset() {
    this.values = {};
    this.system = this.stop = "";
    this.keep();
  }
}

/** Draw the settings into a panel; `changed` is called after each change. `way` is how the model in use is asked. */
export function drawSettings(place, settings, way, changed) {
  const keep = () => {
    settings.keep();
    reset.disabled = settings.changed === 0;
    changed();
  };
  const writes = way === "chat" || way === "complete";
  const rows = FIELDS.map(([name, label, told, low, high, step]) => {
    const field = made("input", { id: `set-${name}`, type: "number", min: low, max: high, step, inputmode: step < 1 ? "decimal" : "numeric", placeholder: "as judged", "aria-describedby": `told-${name}` });
    field.value = settings.values[name] ?? "";
    field.addEventListener("input", () => {
      const value = field.valueAsNumber;
      const fits = Number.isFinite(value) && value >= low && value <= high && (step < 1 || Number.isInteger(value));
      field.setAttribute("aria-invalid", String((field.value !== "" || field.validity.badInput) && !fits));
      if (fits) settings.values[name] = value;
      else delete settings.values[name];
      keep();
    });
    return made("div", { class: "setting" }, made("label", { for: field.id }, label), field, made("p", { id: `told-${name}` }, told));
  });
  const area = (id, label, told, name, rows) => {
    const field = made("textarea", { id, rows, dir: "auto", "aria-describedby": `${id}-told` });
    field.value = settings[name];
    field.addEventListener("input", () => {
      settings[name] = field.value;
      keep();
    });
    return made("div", { class: "setting tall" }, made("label", { for: id }, label), field, made("p", { id: `${id}-told` }, told));
  };
  const reset = made("button", { type: "button", class: "plain", id: "reset", on: { click: () => {
    settings.reset();
    changed();
    drawSettings(place, settings, way, changed);
    document.getElementById("reset").closest("section")?.querySelector("h2")?.focus();
  } } }, "Set everything back");
  reset.disabled = settings.changed === 0;
  const parts = writes
    ? [
        way === "chat" && area("set-system", "System prompt", "Told to the model before your first question.", "system", 4),
        ...rows,
        area("set-stop", "Stop texts", "One a line, four at the most: the answer ends before any of them.", "stop", 2),
      ]
    : [made("p", { class: "note" }, way === "ask" ? "This model answers from its documents, with the settings it was judged with." : "This model does not write, so there is nothing to set.")];
  place.replaceChildren(...parts.filter(Boolean), reset);
}
