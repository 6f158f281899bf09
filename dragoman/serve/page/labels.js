// Labels with their probabilities as bars, tags as colours under the words, nearness as bars.
import { made } from "./dom.js";
import { tagged } from "./asking.js";

const COLOURS = 8;
const MOST = 30; // labels that are shown before the rest is folded away

const percent = (share) => `${(100 * share).toFixed(share > 0.999 || share < 0.001 ? 2 : 1)} %`;

function bar(name, share, chosen, told) {
  const fill = made("span", { class: "fill" });
  fill.style.setProperty("--share", String(Math.min(Math.max(share, 0), 1)));
  return made(
    "li",
    { class: chosen ? "bar chosen" : "bar" },
    made("bdi", { class: "name" }, name),
    made("span", { class: "track", "aria-hidden": "true" }, fill),
    made("span", { class: "share" }, told),
  );
}

/** Every label with its probability, those that hold marked. */
export function drawLabels(result) {
  const scores = Object.entries(result.scores ?? {}).sort((one, other) => other[1] - one[1]);
  const chosen = new Set(result.labels ?? []);
  const rows = scores.map(([name, share]) => bar(name, share, chosen.has(name) || name === result.label, percent(share)));
  const head = made("p", { class: "verdict", dir: "auto" }, chosen.size > 1 ? [...chosen].join(", ") : result.label ?? "No label holds");
  const rest = rows.length > MOST && made("details", {}, made("summary", {}, `${rows.length - MOST} more labels`), made("ul", { class: "bars" }, ...rows.slice(MOST)));
  return [head, rows.length > 0 && made("ul", { class: "bars", "aria-label": "Probability of each label" }, ...rows.slice(0, MOST)), rest].filter(Boolean);
}

/** The text with its tagged words coloured, and what each colour means. */
export function drawTags(text, result, labels) {
  const kind = (tag) => tag.replace(/^[BIESLU]-/, "");
  const known = [...new Set([...labels.filter((label) => label !== "O").map(kind), ...tagged(text, result).map(([, tag]) => tag && kind(tag)).filter(Boolean)])];
  const line = made("p", { class: "tagged", dir: "auto" });
  let open = null; // the words of one entity stand in one mark
  for (const [word, tag] of tagged(text, result)) {
    const name = tag && kind(tag);
    if (open && name && open.name === name && !/^[BSU]-/.test(tag)) open.words.append(` ${word}`);
    else {
      if (line.hasChildNodes()) line.append(" ");
      const words = made("bdi", {}, word);
      if (name) line.append(made("mark", { class: `tag tag-${known.indexOf(name) % COLOURS}` }, words, made("span", { class: "tag-name" }, name)));
      else line.append(word);
      open = name ? { name, words } : null;
    }
  }
  const used = new Set(tagged(text, result).map(([, tag]) => tag && kind(tag)));
  const legend = known.filter((name) => used.has(name));
  return [line, made("p", { class: "note" }, legend.length ? `Found: ${legend.join(", ")}.` : "No word was tagged.")];
}

/** How near each line stands to the first. */
export function drawNearness(first, rows) {
  if (!rows.length) return [];
  const drawn = rows.map(([line, value]) => bar(line, value, false, value.toFixed(3)));
  return [made("p", { class: "note" }, "Cosine with the first line, ", made("bdi", {}, `“${first}”`)), made("ul", { class: "bars wide-names" }, ...drawn)];
}
