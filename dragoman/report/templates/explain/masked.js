// Masked words: each gap in the text and the tokens that could fill it.

function startMasked() {
  const figure = byId("masked-figure");
  trace.masked.forEach((gap) => {
    const near = (from, to) => trace.tokens.slice(Math.max(0, from), Math.max(0, to)).filter((token) => !token.special).map((token) => token.text).join("");
    const best = gap.candidates[0];
    const sentence = make("p", { class: "context", dir: "auto" }, near(gap.position - 16, gap.position), nameOf(best[0]).startsWith(" ") ? " " : "", make("span", { class: "blank" }, nameOf(best[0]).trim()), near(gap.position + 1, gap.position + 17));
    const rows = gap.candidates.map(([id, share]) => ({ text: nameOf(id), share, value: percent(share) }));
    figure.append(make("div", { class: "gap", onclick: () => choose("tokens", gap.position) }, sentence, barList(rows, `What could stand at place ${gap.position + 1}`)));
  });
}
