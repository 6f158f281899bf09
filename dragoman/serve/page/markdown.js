// Markdown as nodes, block by block: what has not changed since the last piece of a stream is left as it stands.
import { copier, made } from "./dom.js";
import { inline } from "./inline.js";

const FENCE = /^ {0,3}(`{3,}|~{3,}) *([^`\n]{0,80})$/;
const HEADING = /^ {0,3}(#{1,6})(?: +(.*?))?(?: +#+)? *$/;
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,3})([-*+]|\d{1,9}[.)])(?: +|$)/;
const DIVIDER = /^ {0,3}\|? *:?-+:? *(?:\| *:?-+:? *)*\|? *$/;
const DEEPEST = 6; // lists in lists, quotes in quotes
const WIDEST = 4000; // characters of a line that may be a table's or a rule

const FROM_RIGHT = /^\P{L}*[\p{sc=Arabic}\p{sc=Hebrew}\p{sc=Syriac}\p{sc=Thaana}\p{sc=Nko}\p{sc=Adlam}]/u;

/** The side on which a block of several parts begins. A browser finds it for a part alone (`auto`), not for a whole. */
const side = (lines) => (FROM_RIGHT.test(lines.join(" ").slice(0, WIDEST)) ? "rtl" : "ltr");
const short = (line) => line.length <= WIDEST;
const blank = (line) => line.trim() === "";
const indent = (line) => line.length - line.trimStart().length;

/** Whether a line ends a paragraph by beginning something else. */
function begins(line) {
  if (FENCE.test(line) || QUOTE.test(line) || (short(line) && (HEADING.test(line) || RULE.test(line)))) return true;
  const item = ITEM.exec(line);
  return Boolean(item) && line.trim().length > item[2].length && !/^(?:[2-9]|1\d|\d\d)/.test(item[2]);
}

/** The blocks of a text, in order: a kind, its lines, and their source, by which a change is seen. */
export function blocks(text) {
  const lines = text.replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n");
  const found = [];
  for (let at = 0; at < lines.length; ) {
    const line = lines[at];
    let end = at + 1;
    let kind = "paragraph";
    const fence = FENCE.exec(line);
    if (blank(line)) {
      at = end;
      continue;
    }
    if (fence) {
      kind = "code";
      const close = (one) => one.trim().startsWith(fence[1]) && one.trim().split("").every((sign) => sign === fence[1][0]);
      while (end < lines.length && !close(lines[end])) end += 1;
      end = Math.min(end + 1, lines.length);
    } else if (short(line) && RULE.test(line)) kind = "rule";
    else if (short(line) && HEADING.test(line)) kind = "heading";
    else if (QUOTE.test(line)) {
      kind = "quote";
      while (end < lines.length && !blank(lines[end]) && (QUOTE.test(lines[end]) || !begins(lines[end]))) end += 1;
    } else if (ITEM.test(line)) {
      kind = "list";
      end = listed(lines, at);
    } else if (line.includes("|") && short(lines[end] ?? "") && (lines[end] ?? "").includes("-") && DIVIDER.test(lines[end]) && cells(line).length === cells(lines[end]).length) {
      kind = "table";
      while (end < lines.length && !blank(lines[end]) && lines[end].includes("|")) end += 1;
    } else while (end < lines.length && !blank(lines[end]) && !begins(lines[end])) end += 1;
    found.push({ kind, lines: lines.slice(at, end), source: `${kind}\n${lines.slice(at, end).join("\n")}` });
    at = end;
  }
  return found;
}

/** How far the text of an item stands in from the left: what stands as far belongs to it. */
const inset = (item) => Math.max(2, item[1].length + item[2].length + 1);

/** The first line behind the list that begins at `at`. */
function listed(lines, at) {
  const first = ITEM.exec(lines[at]);
  const ordered = /\d/.test(first[2]);
  const width = inset(first);
  let end = at + 1;
  let gap = false;
  for (; end < lines.length; end += 1) {
    const line = lines[end];
    const item = ITEM.exec(line);
    if (blank(line)) gap = true;
    else if (item && indent(line) < width && !RULE.test(line.slice(0, WIDEST))) {
      if (/\d/.test(item[2]) !== ordered) break;
      gap = false;
    } else if (indent(line) >= 2) gap = false;
    else if (gap || begins(line)) break;
  }
  while (blank(lines[end - 1])) end -= 1;
  return end;
}

/** The items of a list: each one's lines without the mark and its indentation. */
function items(lines) {
  const found = [];
  let width = 0;
  for (const line of lines) {
    const item = ITEM.exec(line);
    if (item && (!found.length || indent(line) < width)) {
      width = inset(item);
      found.push([line.slice(item[0].length)]);
    } else found.at(-1).push(line.slice(Math.min(indent(line), width)));
  }
  return found;
}

/** The cells of a row; `\|` is a bar inside one. */
function cells(line) {
  const inner = line.trim().replace(/^\|/, "").replace(/(^|[^\\])\|$/, "$1");
  return inner.split(/(?<!\\)\|/).map((cell) => cell.trim().replace(/\\\|/g, "|"));
}

function table(lines, cite) {
  const sides = cells(lines[1]).map((cell) => (cell.endsWith(":") ? (cell.startsWith(":") ? "middle" : "end") : "start"));
  const row = (line, kind) => {
    const said = cells(line);
    return made("tr", {}, ...sides.map((side, place) => made(kind, { class: side, dir: "auto" }, ...inline(said[place] ?? "", cite))));
  };
  const head = made("thead", {}, row(lines[0], "th"));
  const body = made("tbody", {}, ...lines.slice(2).map((line) => row(line, "td")));
  return made("div", { class: "wide", dir: side(lines), tabindex: "0", role: "region", "aria-label": "Table" }, made("table", {}, head, body));
}

function code(lines) {
  const [, mark, named] = FENCE.exec(lines[0]);
  const whole = lines.length > 1 && lines.at(-1).trim().startsWith(mark);
  const text = lines.slice(1, whole ? -1 : undefined).join("\n");
  const head = made("div", { class: "code-head" }, made("span", {}, named.trim().split(/\s/)[0] || "text"), copier(() => text, "Copy the code"));
  return made("div", { class: "code", dir: "ltr" }, head, made("pre", { tabindex: "0" }, made("code", {}, text)));
}

function list(lines, cite, depth) {
  const mark = ITEM.exec(lines[0])[2];
  const ordered = /\d/.test(mark);
  const settings = { dir: side(lines), start: ordered && Number.parseInt(mark, 10) !== 1 ? Number.parseInt(mark, 10) : null };
  const drawn = items(lines).map((item) => {
    const box = /^\[([ xX])\] /.exec(item[0]);
    if (box) item[0] = `${box[1] === " " ? "☐" : "☑"} ${item[0].slice(4)}`;
    const inner = blocks(item.join("\n"));
    // One paragraph is the item itself; only what stands behind it is set apart.
    const nodes = inner.flatMap((block, place) => (place === 0 && block.kind === "paragraph" ? inline(flowing(block.lines), cite) : [draw(block, cite, depth + 1)]));
    return made("li", { dir: "auto", class: box ? "box" : "" }, ...nodes);
  });
  return made(ordered ? "ol" : "ul", settings, ...drawn);
}

const flowing = (lines) => lines.map((line) => line.trim()).join("\n");

/** The node of a block. */
export function draw(block, cite = null, depth = 0) {
  const { kind, lines } = block;
  if (kind === "code") return code(lines);
  if (kind === "rule") return made("hr");
  if (kind === "table") return table(lines, cite);
  if (depth < DEEPEST && kind === "list") return list(lines, cite, depth);
  if (depth < DEEPEST && kind === "quote") {
    const inner = blocks(lines.map((line) => line.replace(QUOTE, "")).join("\n"));
    return made("blockquote", { dir: side(lines) }, ...inner.map((one) => draw(one, cite, depth + 1)));
  }
  if (kind === "heading") {
    const [, marks, said] = HEADING.exec(lines[0]);
    // The page has the first two levels for itself.
    return made(`h${Math.min(marks.length + 2, 6)}`, { dir: "auto" }, ...inline(said ?? "", cite));
  }
  return made("p", { dir: "auto" }, ...inline(flowing(lines), cite));
}

/** A text that grows: `show` draws what is new and leaves the blocks before it as they stand. */
export class Growing {
  constructor(place, cite = null) {
    this.place = place;
    this.cite = cite;
    this.shown = [];
  }

  show(text) {
    const found = blocks(text);
    let same = 0;
    while (same < found.length && same < this.shown.length && found[same].source === this.shown[same]) same += 1;
    while (this.place.childNodes.length > same) this.place.lastChild.remove();
    this.place.append(...found.slice(same).map((block) => draw(block, this.cite)));
    this.shown = found.map((block) => block.source);
  }

  /** Draw everything anew: what citations lead to has come. */
  renew(text, cite) {
    this.cite = cite;
    this.shown = [];
    this.place.replaceChildren();
    this.show(text);
  }
}
