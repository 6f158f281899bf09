// The next token: scores become probabilities, sliders bend them, and darts draw from them.

const topKs = [0, 1, 2, 3, 5, 10, 20, 40, 100, 200, 500];
const plain = { temperature: 1, top_k: 0, top_p: 1, min_p: 0, repetition_penalty: 1, frequency_penalty: 0, presence_penalty: 0 };
const knobs = [
  { name: "temperature", low: 0, high: 2, step: 0.05, help: "below 1: more careful, 0: always the best; above 1: bolder" },
  { name: "top_k", low: 0, high: topKs.length - 1, step: 1, steps: topKs, help: "only so many of the most probable; 0 is all" },
  { name: "top_p", low: 0.05, high: 1, step: 0.01, help: "the smallest set that has this probability" },
  { name: "min_p", low: 0, high: 0.5, step: 0.01, help: "only tokens with this share of the best one’s probability" },
  { name: "repetition_penalty", low: 1, high: 2, step: 0.05, help: "scores of tokens seen are divided by it" },
  { name: "frequency_penalty", low: -2, high: 2, step: 0.1, help: "taken off for each time a token was seen" },
  { name: "presence_penalty", low: -2, high: 2, step: 0.1, help: "taken off once a token was seen" },
];
const presets = [
  ["as the model says", {}],
  ["greedy", { temperature: 0 }],
  ["careful", { temperature: 0.7, top_p: 0.9 }],
  ["bold", { temperature: 1.5, min_p: 0.05 }],
  ["tired of repeating", { repetition_penalty: 1.3, presence_penalty: 0.5 }],
];
const rowsShown = 14;

function startNext() {
  const logits = unpack(trace.next.logits);
  const counts = Object.entries(trace.next.counts).map(([id, times]) => [Number(id), times]);
  const order = Array.from(logits.keys()).sort((one, other) => logits[other] - logits[one]);
  const own = warp(logits, [], plain);
  const how = { ...plain, ...presets[2][1] }; // not the plain one, so that before and after can be seen apart
  const tally = new Map();
  const state = { chances: own, seed: 0, roll: dice(0), darts: 0, last: null, dart: null };
  const ends = new Set(trace.next.ends);
  const labelOf = (id) => (ends.has(id) ? `${nameOf(id)} (end)` : nameOf(id));
  const tokens = sides[trace.next.after].tokens;
  const context = textOf(tokens.slice(-40)).trimStart();
  const blank = make("span", { class: "blank" });
  byId("next-context").append(`${tokens.length > 40 ? "…" : ""}${context}`, blank);

  const paint = () => {
    const { chances } = state;
    const seen = new Set(counts.map(([id]) => id));
    const rows = order.slice(0, rowsShown).map((id) => ({
      text: labelOf(id),
      share: chances[id],
      ghost: own[id],
      value: `${percent(chances[id])}${seen.has(id) ? " · seen" : ""}${tally.get(id) ? ` · ${tally.get(id)}×` : ""}`,
      kind: `${chances[id] === 0 ? "cut" : ""} ${state.last === id ? "drawn" : ""}`,
    }));
    const others = (from) => 1 - order.slice(0, rowsShown).reduce((sum, id) => sum + from[id], 0);
    const rest = [...tally].filter(([id]) => !order.slice(0, rowsShown).includes(id)).reduce((sum, [, times]) => sum + times, 0);
    if (order.length > rowsShown)
      rows.push({ text: `${thousands(order.length - rowsShown)} others`, share: Math.max(0, others(chances)), ghost: Math.max(0, others(own)), value: `${percent(Math.max(0, others(chances)))}${rest ? ` · ${rest}×` : ""}` });
    byId("next-bars").replaceChildren(barList(rows, "The most probable next tokens; outlined before, filled after the settings"));
    const kept = chances.reduce((sum, chance) => sum + (chance > 0 ? 1 : 0), 0);
    const choice = (from) => Math.exp(-from.reduce((sum, chance) => sum + (chance > 0 ? chance * Math.log(chance) : 0), 0));
    byId("next-said").replaceChildren(
      `Outlined: the model’s own probabilities, as unsure as a fair choice among ${choice(own).toFixed(1)} tokens. Filled: after the settings, ${choice(chances).toFixed(1)}. ${thousands(kept)} of ${thousands(order.length)} tokens are left. The penalties count the tokens of the text (penalise_prompt=true).`,
    );
    line();
  };

  const line = () => {
    const segments = order.slice(0, rowsShown).filter((id) => state.chances[id] > 0);
    const rest = 1 - segments.reduce((sum, id) => sum + state.chances[id], 0);
    const part = (text, share, color, hit) => {
      const node = make("i", { title: `${shown(text)} ${percent(share)}`, class: hit ? "hit" : "" }, share > 0.03 ? shown(text) : "");
      node.style.flexGrow = String(share);
      node.style.background = color;
      return node;
    };
    const parts = segments.map((id, place) => part(labelOf(id), state.chances[id], `var(--tint-${place % 5})`, id === state.last));
    if (rest > 1e-9) parts.push(part("others", rest, "var(--grid)", state.last !== null && !segments.includes(state.last)));
    const dart = make("div", { class: "dart" });
    if (state.dart !== null) {
      const arrow = make("span", {}, "▲");
      arrow.style.left = `${100 * state.dart}%`;
      dart.append(arrow);
    }
    byId("next-line").replaceChildren(make("div", { class: "line", role: "img", "aria-label": "All tokens side by side, each as wide as it is probable" }, parts), dart);
  };

  const compute = () => {
    state.chances = warp(logits, counts, how);
    forget();
    paint();
    const said = Object.entries(how).filter(([name, value]) => value !== plain[name]).map(([name, value]) => `${name}=${value}`);
    if (how.temperature === plain.temperature) said.unshift("temperature=1");
    if (["repetition_penalty", "frequency_penalty", "presence_penalty"].some((name) => how[name] !== plain[name])) said.push("penalise_prompt=true");
    said.unshift("raw=true");
    const model = /^[\w./:@+-]+$/.test(trace.model) ? trace.model : `'${trace.model.replaceAll("'", "'\\''")}'`;
    command.textContent = `dragoman generate ${model} "TEXT" ${said.join(" ")}`;
  };
  const forget = () => {
    tally.clear();
    Object.assign(state, { darts: 0, last: null, dart: null, roll: dice(state.seed) });
    blank.textContent = "\u2003";
    byId("next-drawn").textContent = "Nothing drawn yet.";
  };
  const throwDarts = (times) => {
    for (let turn = 0; turn < times; turn++) {
      state.dart = state.roll();
      state.last = drawn(state.chances, order, state.dart);
      tally.set(state.last, (tally.get(state.last) ?? 0) + 1);
      state.darts++;
    }
    blank.replaceChildren(...written(nameOf(state.last)));
    byId("next-drawn").replaceChildren(`Dart ${thousands(state.darts)} fell at ${state.dart.toFixed(4)} and hit `, chip(labelOf(state.last), { class: "chosen" }), ` (${percent(state.chances[state.last])}); it was hit ${tally.get(state.last)} of ${thousands(state.darts)} times.`);
    paint();
  };

  const command = make("code", {});
  nextSliders(how, compute, command);
  const seed = make("input", { type: "number", min: 0, max: 4294967295, step: 1, value: 0, id: "next-seed" });
  seed.style.width = "6.5em";
  seed.addEventListener("change", () => {
    state.seed = Math.max(0, Math.floor(Number(seed.value) || 0));
    forget();
    paint();
  });
  byId("next-buttons").append(
    make("button", { type: "button", class: "primary", onclick: () => throwDarts(1) }, "Throw a dart"),
    make("button", { type: "button", onclick: () => throwDarts(100) }, "Throw 100"),
    make("button", { type: "button", onclick: () => (forget(), paint()) }, "Start again"),
    make("label", { for: "next-seed" }, "seed"),
    seed,
  );
  compute();
}

function nextSliders(how, compute, command) {
  const form = byId("next-sliders");
  form.addEventListener("submit", (event) => event.preventDefault());
  const shows = [];
  const sliders = knobs.map((knob) => {
    const id = `next-${knob.name}`;
    const output = make("output", { for: id });
    const input = make("input", { type: "range", id, min: knob.low, max: knob.high, step: knob.step, title: knob.help, "aria-describedby": `${id}-help` });
    const box = make("div", { class: "slider" }, make("div", {}, make("label", { for: id }, knob.name), output), input, make("small", { id: `${id}-help` }, knob.help));
    input.addEventListener("input", () => {
      how[knob.name] = knob.steps ? knob.steps[Number(input.value)] : Number(input.value);
      shows.forEach((one) => one());
      compute();
    });
    const show = () => {
      const value = how[knob.name];
      input.value = knob.steps ? knob.steps.indexOf(value) : value;
      output.textContent = knob.name === "top_k" && value === 0 ? "0: all" : String(value);
      input.setAttribute("aria-valuetext", output.textContent);
      box.classList.toggle("off", value === plain[knob.name]);
    };
    shows.push(show);
    return box;
  });
  const buttons = presets.map(([name, settings]) => {
    const button = make("button", { type: "button", onclick: () => (Object.assign(how, plain, settings), shows.forEach((show) => show()), compute()) }, name);
    shows.push(() => button.setAttribute("aria-pressed", String(knobs.every((knob) => how[knob.name] === { ...plain, ...settings }[knob.name]))));
    return button;
  });
  shows.forEach((show) => show());
  form.append(make("div", { class: "presets", role: "group", "aria-label": "Ready-made settings" }, buttons), ...sliders, make("p", { class: "try quiet" }, "In the terminal:", make("br"), command));
}
