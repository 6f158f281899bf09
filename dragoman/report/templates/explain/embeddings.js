// 2: the tokens' vectors flattened to two dimensions, and the nearest neighbours in all of them.

function startEmbeddings() {
  const { ids, points, neighbours } = trace.embeddings;
  const flat = unpack(points);
  const rowOf = new Map(ids.map((id, row) => [id, row]));
  const firstAt = new Map();
  trace.tokens.forEach((token, at) => firstAt.has(token.id) || firstAt.set(token.id, at));
  const everything = [...ids.map((_, row) => [flat[2 * row], flat[2 * row + 1]]), ...neighbours.flat().map((near) => [near[2], near[3]])];
  const reach = [0, 1].map((axis) => {
    const along = everything.map((point) => point[axis]);
    return [Math.min(...along), Math.max(...along)];
  });
  const scale = (value, axis, length) => {
    const [low, top] = reach[axis];
    return 34 + ((value - low) / (top - low || 1)) * (length - 68);
  };
  const figure = byId("embeddings-figure");
  let wide = 640;
  let high = 450;
  const place = (x, y) => [scale(x, 0, wide - 40), high - scale(y, 1, high)];

  /** Labels that would lie on another are left out; the chosen one and its neighbours come first. */
  const label = (taken, x, y, text, must) => {
    const cut = Array.from(shown(text)).slice(0, 12).join("");
    const width = 7.6 * Array.from(cut).length + 4;
    const spots = [[x + 8, y + 4], [x - 8 - width, y + 4], [x - width / 2, y - 9], [x - width / 2, y + 17]];
    const free = spots.find(([left, base]) => left > 2 && left + width < wide - 2 && taken.every((box) => left + width < box[0] || left > box[0] + box[2] || base < box[1] - 12 || base - 12 > box[1]));
    if (!free && !must) return null;
    const [left, base] = free ?? spots[0];
    taken.push([left, base, width]);
    return draw("text", { x: left, y: base }, cut);
  };

  const paint = (at) => {
    wide = Math.max(320, Math.min(700, figure.clientWidth)); // letters keep their size on a narrow screen
    high = Math.round(Math.max(360, wide * 0.7));
    const chosen = rowOf.get(trace.tokens[at].id);
    const taken = [];
    const drawing = draw("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": "The tokens of the text as points in two dimensions" });
    const order = ids.map((_, row) => row).sort((one, other) => (other === chosen) - (one === chosen));
    const [cx, cy] = place(flat[2 * chosen], flat[2 * chosen + 1]);
    const nodes = [];
    const chosenLabel = label(taken, cx, cy, nameOf(ids[chosen]), true);
    const near = neighbours[chosen].map(([id, , x, y]) => {
      const [px, py] = place(x, y);
      const known = rowOf.has(id);
      return draw("g", { class: "near" }, draw("line", { x1: cx, y1: cy, x2: px, y2: py }), known ? null : draw("circle", { cx: px, cy: py, r: 4 }), known ? null : label(taken, px, py, nameOf(id), false));
    });
    for (const row of order) {
      const [x, y] = place(flat[2 * row], flat[2 * row + 1]);
      const mine = row === chosen;
      const group = draw(
        "g",
        { class: mine ? "point chosen" : "point", onpointerenter: () => choose("tokens", firstAt.get(ids[row])), onclick: () => choose("tokens", firstAt.get(ids[row])) },
        draw("circle", { cx: x, cy: y, r: 14, "fill-opacity": 0 }),
        draw("circle", { cx: x, cy: y, r: mine ? 7 : 4.5 }),
        mine ? chosenLabel : label(taken, x, y, nameOf(ids[row]), false),
      );
      if (mine) chosenLabel.setAttribute("class", "strong");
      nodes.push(group);
    }
    const [one, other] = trace.embeddings.variance;
    const axes = draw("text", { x: 12, y: high - 10, class: "soft" }, `across ${Math.round(100 * one)} %, up ${Math.round(100 * other)} % of the differences`);
    drawing.append(axes, ...near, ...nodes.reverse());
    figure.replaceChildren(drawing);
    byId("embeddings-title").replaceChildren("Nearest to ", chip(nameOf(ids[chosen]), { class: "chosen" }));
    const rows = neighbours[chosen].map(([id, cosine]) => ({ text: nameOf(id), share: Math.max(0, cosine), value: cosine.toFixed(2) }));
    byId("embeddings-list").replaceChildren(
      barList(rows, "Nearest neighbours by cosine"),
      make("p", { class: "quiet" }, "Cosine of the angle between the vectors: 1 is the same direction, 0 is unrelated."),
    );
  };
  follow("tokens", paint);
  new ResizeObserver(() => {
    if (Math.abs(Math.max(320, Math.min(700, figure.clientWidth)) - wide) > 1) paint(sides.tokens.at);
  }).observe(figure);
  paint(sides.tokens.at);
}
