// Where an answer comes from: numbered chips in its text, and the passage behind each with the quoted words marked.
import { made, part } from "./dom.js";
import { openPanel } from "./panel.js";

const NUMBERS = /\d+/g;

/** The numbers a citation such as `[1, 3-4]` names. */
function numbers(mark) {
  const found = [];
  for (const piece of mark.slice(1, -1).split(/[,;]/)) {
    const ends = (piece.match(NUMBERS) ?? []).map(Number);
    if (ends.length === 2 && ends[1] >= ends[0] && ends[1] - ends[0] < 20) {
      for (let number = ends[0]; number <= ends[1]; number += 1) found.push(number);
    } else found.push(...ends);
  }
  return found;
}

/** Where a passage stands, for people. */
export function where(passage) {
  if (passage.page) return `${passage.source}, page ${passage.page}`;
  const path = Array.isArray(passage.path) ? passage.path.join(" › ") : String(passage.path ?? "");
  return path ? `${passage.source}: ${path}` : String(passage.source);
}

/** Makes the chips of an answer: a function from a mark in its text to a node, or null where it cites nothing known. */
export function citing(passages, citations) {
  const known = new Map(passages.map((passage) => [passage.number, passage]));
  return (mark) => {
    const cited = numbers(mark).filter((number) => known.has(number));
    if (!cited.length) return null;
    return made("span", { class: "chips" }, ...cited.map((number) => chip(known.get(number), passages, citations)));
  };
}

function chip(passage, passages, citations) {
  const told = `Source ${passage.number}: ${where(passage)}`;
  return made("button", { type: "button", class: "chip", "aria-label": told, title: told, on: { click: () => show(passage, passages, citations) } }, String(passage.number));
}

/** The list of sources below an answer: those it cites first. */
export function drawSources(passages, citations) {
  const cited = new Set(citations.map((one) => one.number));
  const used = passages.filter((passage) => cited.has(passage.number));
  const rest = passages.length - used.length;
  const rows = (used.length ? used : passages).map((passage) =>
    made("li", {}, made("button", { type: "button", class: "source", on: { click: () => show(passage, passages, citations) } }, made("span", { class: "chip", "aria-hidden": "true" }, String(passage.number)), made("bdi", {}, where(passage)))),
  );
  const more = used.length && rest > 0 ? made("p", { class: "note" }, `${rest} more ${rest === 1 ? "passage was" : "passages were"} read and not cited.`) : null;
  return made("div", { class: "sources" }, made("ul", { "aria-label": "Sources" }, ...rows), more);
}

/** The text with the cited spans marked. Positions count characters as Python does, not as this language does. */
function marked(text, spans) {
  const signs = Array.from(text);
  const nodes = [];
  let at = 0;
  for (const [start, end] of spans.sort((one, other) => one[0] - other[0])) {
    const from = Math.max(at, start);
    const until = Math.min(end, signs.length);
    if (until <= from) continue;
    nodes.push(signs.slice(at, from).join(""), made("mark", {}, signs.slice(from, until).join("")));
    at = until;
  }
  nodes.push(signs.slice(at).join(""));
  return nodes;
}

/** Open a passage in the panel. */
function show(passage, passages, citations) {
  const spans = citations.filter((one) => one.number === passage.number && one.end > one.start).map((one) => [one.start, one.end]);
  const path = Array.isArray(passage.path) ? passage.path.join(" › ") : String(passage.path ?? "");
  const facts = [passage.page ? `Page ${passage.page}` : "", path].filter(Boolean);
  const text = made("blockquote", { class: "passage", dir: "auto" }, ...marked(String(passage.text ?? ""), spans));
  const score = Number.isFinite(passage.score) ? `Rank ${passage.number} of ${passages.length}, score ${passage.score.toFixed(3)}` : "";
  const others = passages.filter((one) => one !== passage);
  const list = others.map((one) => made("li", {}, made("button", { type: "button", class: "source", on: { click: () => show(one, passages, citations) } }, made("span", { class: "chip", "aria-hidden": "true" }, String(one.number)), made("bdi", {}, where(one)))));
  openPanel("source", [
    made("p", { class: "passage-source" }, made("span", { class: "chip", "aria-hidden": "true" }, String(passage.number)), made("bdi", {}, String(passage.source ?? ""))),
    facts.length ? made("p", { class: "note", dir: "auto" }, facts.join(" · ")) : null,
    text,
    spans.length ? null : made("p", { class: "note" }, "The passage as a whole is cited, or was read for the answer."),
    score ? made("p", { class: "note" }, score) : null,
    others.length ? made("h3", {}, "Also read") : null,
    others.length ? made("ul", { class: "sources" }, ...list) : null,
  ]);
  part("panel-body").querySelector("mark")?.scrollIntoView({ block: "center" });
}
