// What everything else stands on: the trace, making elements out of text alone, colours, and which token is chosen.

const trace = JSON.parse(document.getElementById("trace").textContent);
const byId = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

/** The numbers of a packed array: little-endian bytes in base64, with a shape. */
function unpack(packed) {
  const text = atob(packed.data);
  const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
  const kinds = { uint8: Uint8Array, int32: Int32Array, float32: Float32Array };
  return new kinds[packed.kind](bytes.buffer);
}

/** An element with attributes and children. Text becomes text nodes: nothing of the trace is ever read as HTML. */
function make(tag, given = {}, ...children) {
  const node = document.createElement(tag);
  return fill(node, given, children);
}

function draw(tag, given = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  return fill(node, given, children);
}

function fill(node, given, children) {
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const invisible = { " ": "·", "\n": "↵", "\t": "⇥", "\r": "␍", "\u00a0": "⍽" };

/** A token as people can see it: spaces and line breaks are shown. */
function shown(text) {
  if (text === "") return "∅";
  return Array.from(text, (letter) => invisible[letter] ?? (letter < " " || letter === "\u007f" ? "␦" : letter)).join("");
}

/** The same as elements: the signs that stand for spaces are paler than letters. */
function written(text) {
  return Array.from(shown(text).match(/[·↵⇥␍⍽␦]+|[^·↵⇥␍⍽␦]+/gu) ?? []).map((part) =>
    /[·↵⇥␍⍽␦]/u.test(part) ? make("span", { class: "space" }, part) : part,
  );
}

/** The text of some tokens, put together from their bytes: a character may lie across several. */
function textOf(tokens) {
  const pairs = tokens.map((token) => token.bytes).join("").match(/../g) ?? [];
  const text = new TextDecoder().decode(Uint8Array.from(pairs, (pair) => parseInt(pair, 16)));
  return text.replace(/^\ufffd+/u, ""); // the rest of a character that began before
}

const nameOf = (id) => trace.names[id] ?? `#${id}`;

function chip(text, given = {}) {
  const { class: more = "", ...rest } = given;
  return make("span", { class: `token ${more}`, ...rest }, written(text));
}

function percent(share) {
  if (share >= 0.9995 || share === 0) return `${Math.round(share * 100)}\u00a0%`;
  if (share < 0.0001) return "<\u00a00.01\u00a0%";
  return `${(share * 100).toFixed(share < 0.01 ? 2 : 1)}\u00a0%`;
}

const thousands = (number) => Math.round(number).toLocaleString("en");
const plural = (count, noun) => `${thousands(count)} ${noun}${count === 1 ? "" : "s"}`;

// Colours come from the style sheet, so that light and dark are decided in one place.
function colour(name) {
  const text = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  return [1, 3, 5].map((place) => parseInt(text.slice(place, place + 2), 16));
}

function mixed(from, to, share) {
  return from.map((part, place) => Math.round(part + (to[place] - part) * share));
}

/** 256 colours from one to another; the root makes small shares visible. */
function ramp(from, to) {
  return Array.from({ length: 256 }, (_, step) => mixed(from, to, step / 255));
}

const themed = [];
/** Draw now, and again when the system turns from light to dark. */
function onTheme(paint) {
  themed.push(paint);
  paint();
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => themed.forEach((paint) => paint()));

/** A decoder is looked at where it speaks: at the end. Elsewhere at the first gap, or in the middle of the text. */
function firstChosen() {
  const last = trace.tokens.length - 1;
  if (trace.kind === "decoder") return last;
  const words = trace.tokens.map((token, at) => (token.special ? -1 : at)).filter((at) => at >= 0);
  return trace.masked.length ? trace.masked[0].position : (words[Math.floor(words.length / 2)] ?? last);
}

// Which token is chosen, on the side of the text and on the side of the answer.
const sides = {
  tokens: { tokens: trace.tokens, at: firstChosen(), followers: [] },
  targets: { tokens: trace.targets, at: Math.max(0, trace.targets.length - 1), followers: [] },
};

function follow(side, paint) {
  sides[side].followers.push(paint);
}

function choose(side, at) {
  const one = sides[side];
  const inside = Math.min(Math.max(at, 0), one.tokens.length - 1);
  if (inside === one.at || inside < 0) return;
  one.at = inside;
  one.followers.forEach((paint) => paint(inside));
}

/** Arrow keys along a line of tokens. Returns whether the key was one of them. */
function walk(side, event) {
  const one = sides[side];
  const steps = { ArrowLeft: one.at - 1, ArrowRight: one.at + 1, Home: 0, End: one.tokens.length - 1 };
  if (!(event.key in steps) || event.altKey || event.ctrlKey || event.metaKey) return false;
  event.preventDefault();
  choose(side, steps[event.key]);
  return true;
}

/** A list of tokens with bars: rows are {text, share, value, ghost, kind}. */
function barList(rows, label) {
  const largest = Math.max(1e-9, ...rows.map((row) => Math.max(row.share, row.ghost ?? 0)));
  return make(
    "ul",
    { class: "bars", "aria-label": label },
    rows.map((row) => {
      const inner = make("i");
      inner.style.width = `${(100 * Math.max(0, row.share)) / largest}%`;
      const ghost = row.ghost === undefined ? null : make("b");
      if (ghost) ghost.style.width = `${(100 * row.ghost) / largest}%`;
      return make(
        "li",
        { class: row.kind ?? "" },
        chip(row.text, { title: shown(row.text) }),
        make("span", { class: "bar", "aria-hidden": "true" }, inner, ghost),
        make("span", { class: "value" }, row.value),
      );
    }),
  );
}
