// Masked words: each gap in the text and the tokens that could fill it.

function startMasked() {
  const figure = byId("masked-figure");
  const gaps = new Set(trace.masked.map((gap) => gap.position));
  trace.masked.forEach((gap) => {
    const near = (from, to) => {
      const runs = [[]]; // what stands between gaps is put together before it is text
      for (let place = Math.max(0, from); place < Math.min(to, trace.tokens.length); place++)
        if (gaps.has(place)) runs.push([]);
        else runs.at(-1).push(trace.tokens[place]);
      return runs.map(textOf).join(" ____");
    };
    const best = gap.candidates[0];
    const sentence = make("p", { class: "context", dir: "auto" }, near(gap.position - 16, gap.position).trimStart(), nameOf(best[0]).startsWith(" ") ? " " : "", make("span", { class: "blank" }, nameOf(best[0]).trim()), near(gap.position + 1, gap.position + 17));
    const rows = gap.candidates.map(([id, share]) => ({ text: nameOf(id), share, value: percent(share) }));
    figure.append(make("div", { class: "gap", onclick: () => choose("tokens", gap.position) }, sentence, barList(rows, `What could stand at place ${gap.position + 1}`)));
  });
}
