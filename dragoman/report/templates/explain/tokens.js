// 1: the pieces of the text with their numbers, and what is known of the chosen one.

function startTokens() {
  const surprise = surprises();
  const pieces = trace.tokens.map((token, at) => {
    const box = chip(token.text, { class: token.special ? "special" : "" });
    if (!token.special) box.style.setProperty("--tint", `var(--tint-${at % 5})`);
    const choosing = () => choose("tokens", at);
    return make(
      "button",
      { class: "piece", type: "button", tabindex: -1, onpointerenter: choosing, onclick: choosing, onfocus: choosing },
      box,
      make("small", {}, String(token.id)),
    );
  });
  const figure = byId("tokens-figure");
  figure.append(...pieces);
  figure.addEventListener("keydown", (event) => walk("tokens", event) && pieces[sides.tokens.at].focus());
  const rows = trace.tokens.map((token, at) =>
    make("tr", {}, ...[String(at + 1), chip(token.text), String(token.id), bytesOf(token)].map((cell) => make("td", {}, cell))),
  );
  const names = ["place", "token", "number", "bytes"];
  byId("tokens-table").append(
    make("table", {}, make("thead", {}, make("tr", {}, names.map((name) => make("th", { scope: "col" }, name)))), make("tbody", {}, rows)),
  );
  let before = sides.tokens.at;
  const paint = (at) => {
    for (const list of [pieces, rows]) {
      list[before].classList.remove("chosen");
      list[at].classList.add("chosen");
    }
    pieces[before].firstChild.classList.remove("chosen");
    pieces[at].firstChild.classList.add("chosen");
    pieces[before].tabIndex = -1;
    pieces[at].tabIndex = 0;
    before = at;
    byId("tokens-said").replaceChildren(told(at, surprise));
  };
  follow("tokens", paint);
  paint(sides.tokens.at);
}

function bytesOf(token) {
  return (token.bytes.match(/../g) ?? []).map((pair) => pair.toUpperCase()).join(" ");
}

/** How probable the model held each token before it saw it: only a decoder that reads the text itself says so. */
function surprises() {
  if (trace.kind !== "decoder" || !trace.lens) return () => "";
  const lens = lensOf(trace.lens);
  return (at) => {
    if (at === 0) return "";
    const share = lens.real(lens.rows - 1, at - 1);
    return ` Before it came, the model gave it ${percent(share)}: ${share > 0 ? (-Math.log2(share)).toFixed(1) : "very many"} bits of surprise.`;
  };
}

function told(at, surprise) {
  const token = trace.tokens[at];
  const place = `Token ${at + 1} of ${trace.tokens.length}, number ${thousands(token.id)}`;
  if (token.special)
    return make("p", {}, chip(token.text, { class: "special" }), ` ${place}. A control token: it is no part of the text; the model was trained to expect it here.`);
  const length = token.bytes.length / 2;
  const times = trace.tokens.filter((other) => other.id === token.id).length;
  const unknown = length ? "" : " The tokenizer knows no piece for what stands here.";
  const again = times > 1 ? ` It stands ${times} times in this text, with the same number each time.` : "";
  return make(
    "p",
    {},
    chip(token.text, { class: "chosen" }),
    ` ${place}: ${plural(length, "byte")} `,
    make("code", {}, bytesOf(token)),
    `.${unknown}${surprise(at)}${again}`,
  );
}
