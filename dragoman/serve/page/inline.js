// What stands inside a line of Markdown, as nodes: emphasis, code, links and citations. Every path is linear in length.
import { made } from "./dom.js";

const TOKEN = /\\[!-/:-@[-`{-~]|`+|!?\[|\*\*|\*|__|_|~~|<(?:https?:\/\/|mailto:)[^\s<>]{1,2000}>|https?:\/\/[^\s<>]{1,2000}|\n/gi;
const CITED = /\[\s*\d{1,4}(?:\s*[,;–-]\s*\d{1,4}){0,20}\s*\]/y;
const DEEPEST = 6; // emphasis inside emphasis
const WORD = /[\p{L}\p{N}_]/u;
const OPEN = new Set(["http:", "https:", "mailto:"]);
const LONGEST_LABEL = 300; // characters between the brackets of a link

/** Where an address leads, or null where it is none that this page would open. */
export function target(address) {
  if (!/^(?:https?:\/\/|mailto:)/i.test(address)) return null;
  try {
    const url = new URL(address);
    return OPEN.has(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

/** A link that says where it leads: what a model calls it is no evidence of that. */
function link(url, children, bare) {
  const settings = { href: url.href, rel: "noopener noreferrer", target: "_blank", referrerpolicy: "no-referrer" };
  const where = url.protocol === "mailto:" ? url.pathname : url.host;
  const anchor = made("a", settings, made("bdi", {}, ...children));
  return bare ? [anchor] : [anchor, made("span", { class: "host" }, "\u00a0(", made("bdi", {}, where), ")")];
}

/** `[label](address "title")` from `at`, whose first sign is `[`; null where there is none. */
function linked(text, at) {
  let depth = 0;
  let end = -1;
  const last = Math.min(text.length, at + LONGEST_LABEL);
  for (let place = at; place < last; place += 1) {
    const sign = text[place];
    if (sign === "\\") place += 1;
    else if (sign === "[") depth += 1;
    else if (sign === "]" && (depth -= 1) === 0) {
      end = place;
      break;
    }
  }
  if (end < 0 || text[end + 1] !== "(") return null;
  const found = /\(\s{0,9}<?([^\s<>()]{1,2000}(?:\([^\s<>()]{0,200}\)[^\s<>()]{0,2000}){0,4})>?(?:\s{1,9}(?:"[^"\n]{0,300}"|'[^'\n]{0,300}'))?\s{0,9}\)/y;
  found.lastIndex = end + 1;
  const match = found.exec(text);
  return match && { label: text.slice(at + 1, end), address: match[1], end: found.lastIndex };
}

/** Where the emphasis that `mark` opens before `from` closes; -1 where it does not. */
function closing(text, mark, from) {
  if (from >= text.length || /\s/.test(text[from])) return -1;
  for (let place = from; ; place += 1) {
    place = text.indexOf(mark, place);
    if (place < 0) return -1;
    const single = mark.length === 1;
    if (single && text[place + 1] === mark) {
      place += 1; // a strong mark inside
      continue;
    }
    if (place === from || /[\s\\]/.test(text[place - 1])) continue;
    if (mark.startsWith("_") && WORD.test(text[place + mark.length] ?? "")) continue;
    return place;
  }
}

const TAGS = { "**": "strong", __: "strong", "*": "em", _: "em", "~~": "del" };

/** The nodes of a line or paragraph. `cite`, where given, makes the node of a citation such as `[1, 3]`, or null. */
export function inline(text, cite = null, depth = 0) {
  const nodes = [];
  const unclosed = new Set(); // marks that close nowhere behind here: looked for once
  let at = 0;
  let from = 0;
  const plain = (end) => {
    if (end > at) nodes.push(document.createTextNode(text.slice(at, end)));
  };
  const take = (start, end, ...added) => {
    plain(start);
    nodes.push(...added);
    at = from = end;
  };
  for (;;) {
    TOKEN.lastIndex = from;
    const match = TOKEN.exec(text);
    if (!match) break;
    const token = match[0];
    const start = match.index;
    from = start + token.length;
    if (token === "\n") take(text[start - 1] === "\\" ? start - 1 : start, from, made("br"));
    else if (token[0] === "\\") take(start, from, token.slice(1));
    else if (token[0] === "`") {
      const end = unclosed.has(token) ? -1 : fenced(text, token, from);
      if (end < 0) unclosed.add(token);
      else take(start, end + token.length, made("code", { dir: "ltr" }, text.slice(from, end).replace(/^ (.*\S.*) $/s, "$1")));
    } else if (token[0] === "<" || /^h/i.test(token)) {
      const bare = token[0] === "<" ? token.slice(1, -1) : token.replace(/[.,;:!?'"*_~)\]}]+$/, "");
      const url = target(bare);
      if (url) take(start, token[0] === "<" ? from : start + bare.length, ...link(url, [bare], true));
    } else if (token.endsWith("[")) {
      CITED.lastIndex = start;
      const mark = token === "[" && cite ? CITED.exec(text) : null;
      const chip = mark && cite(mark[0]);
      if (chip) take(start, start + mark[0].length, chip);
      else bracketed(text, start, token, cite, depth, take);
    } else if (depth < DEEPEST && !unclosed.has(token)) {
      if (token[0] === "_" && WORD.test(text[start - 1] ?? "")) continue;
      const end = closing(text, token, from);
      if (end < 0) {
        if (!/\s/.test(text[from] ?? " ")) unclosed.add(token);
      } else take(start, end + token.length, made(TAGS[token], {}, ...inline(text.slice(from, end), cite, depth + 1)));
    }
  }
  plain(text.length);
  return nodes;
}

/** Where a run of backticks of exactly this length stands next; -1 where none does. */
function fenced(text, run, from) {
  for (let place = from; ; ) {
    place = text.indexOf(run, place);
    if (place < 0) return -1;
    let end = place + run.length;
    while (text[end] === "`") end += 1;
    if (end - place === run.length) return place;
    place = end;
  }
}

/** A link, or an image shown as a link: nothing is ever loaded from an address that a model wrote. */
function bracketed(text, start, token, cite, depth, take) {
  const found = linked(text, start + token.length - 1);
  const url = found && target(found.address);
  if (!url) return;
  const label = token === "![" ? [`Image: ${found.label || "without a description"}`] : depth < DEEPEST ? inline(found.label, null, DEEPEST) : [found.label];
  const shown = label.some((one) => (one.textContent ?? one) !== "") ? label : [found.address];
  const bare = found.label === found.address && token === "[";
  // A link inside a link's label would be one too many: its words alone are kept.
  const words = shown.map((one) => (one.nodeName === "A" ? document.createTextNode(one.textContent) : one));
  take(start, found.end, ...link(url, words, bare));
}
