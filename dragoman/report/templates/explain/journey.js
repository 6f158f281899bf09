// The whole way: tokens as columns, layers as rows, and where the content of the chosen column came from.

/** The shares of one kind of attention, by layer, head, asking token and read token. */
function sharesOf(packed) {
  const bytes = unpack(packed.weights);
  const { layers, heads, queries, keys, causal } = packed;
  const square = Float32Array.from({ length: 256 }, (_, root) => (root / 255) ** 2);
  const size = causal ? (queries * (queries + 1)) / 2 : queries * keys;
  const share = (layer, head, query, key) => {
    if (causal && key > query) return 0;
    const place = causal ? (query * (query + 1)) / 2 + key : query * keys + key;
    return square[bytes[(layer * heads + head) * size + place]];
  };
  return { layers, heads, queries, keys, causal, share };
}

/** Attention averaged over the heads, for each layer one flat array; rows sum to 1 again. */
function meanShares(shares) {
  const { layers, heads, queries, keys } = shares;
  return Array.from({ length: layers }, (_, layer) => {
    const mean = new Float32Array(queries * keys);
    for (let head = 0; head < heads; head++)
      for (let query = 0; query < queries; query++)
        for (let key = 0; key < keys; key++) mean[query * keys + key] += shares.share(layer, head, query, key);
    for (let query = 0; query < queries; query++) {
      const row = mean.subarray(query * keys, (query + 1) * keys);
      const total = row.reduce((sum, part) => sum + part, 0) || 1;
      row.forEach((part, key) => (row[key] = part / total));
    }
    return mean;
  });
}

/** Rollout: half of a state is what it was, half what it read (Abnar and Zuidema 2020). Flows [layer][read -> asking]. */
function rollout(means, count, at) {
  let mass = new Float32Array(count);
  mass[at] = 1;
  const flows = [];
  for (let layer = means.length - 1; layer >= 0; layer--) {
    const below = new Float32Array(count);
    const flow = [];
    for (let query = 0; query < count; query++) {
      if (mass[query] < 1e-4) continue;
      for (let key = 0; key < count; key++) {
        const part = mass[query] * 0.5 * (means[layer][query * count + key] + (key === query ? 1 : 0));
        below[key] += part;
        if (part > 0.002) flow.push([key, query, part]);
      }
    }
    flows[layer] = flow;
    mass = below;
  }
  return { flows, sources: mass };
}

function startJourney() {
  const shares = sharesOf(trace.attention.self);
  const means = meanShares(shares);
  const count = trace.tokens.length;
  const lens = trace.lens && trace.lens.of === "tokens" ? lensOf(trace.lens) : null;
  const figure = byId("journey-figure");
  const canvas = make("canvas", { role: "img", "aria-label": "Lines lead from the chosen token back through the layers to the tokens it drew from" });
  figure.append(canvas);
  let place = null;
  let frame = 0;

  const measure = () => {
    const wide = figure.clientWidth;
    const left = wide < 700 ? 34 : 92;
    const right = 26;
    const step = Math.max(wide < 700 ? 30 : 34, Math.min(110, (wide - left - right) / Math.max(1, count)));
    const gap = shares.layers > 16 ? 26 : shares.layers > 8 ? 40 : 58;
    const slanted = step < 84;
    const top = slanted ? 84 : 46;
    const width = Math.max(wide, left + right + step * count);
    const height = top + gap * shares.layers + (lens ? (slanted ? 96 : 56) : 24);
    const x = (token) => left + step * (token + 0.5);
    const y = (layer) => top + gap * layer;
    place = { wide, left, step, gap, slanted, top, width, height, x, y };
    const dense = window.devicePixelRatio || 1;
    canvas.width = width * dense;
    canvas.height = height * dense;
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
  };

  const strand = (pen, key, query, layer) => {
    const { x, y, gap } = place;
    pen.beginPath();
    pen.moveTo(x(key), y(layer));
    const middle = y(layer) + gap / 2;
    pen.bezierCurveTo(x(key), middle, x(query), middle, x(query), y(layer + 1));
    pen.stroke();
  };

  /** All that is read by all, pale: drawn once for each size and theme, because a frame has no time for it. */
  const behind = (css, rule, dense) => {
    if (place.behind && place.rule === css(rule)) return place.behind;
    const sheet = make("canvas", { width: canvas.width, height: canvas.height });
    const pen = sheet.getContext("2d");
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    for (let layer = 0; layer < shares.layers; layer++)
      for (let query = 0; query < count; query++)
        for (let key = 0; key < count; key++) {
          const share = means[layer][query * count + key];
          if (share < 0.12) continue;
          pen.strokeStyle = css(rule, Math.min(0.6, share * 0.7));
          pen.lineWidth = 0.6 + share;
          strand(pen, key, query, layer);
        }
    Object.assign(place, { behind: sheet, rule: css(rule) });
    return sheet;
  };

  const paint = (depth) => {
    const { x, y, width, height } = place;
    const at = sides.tokens.at;
    const ink = { soft: colour("soft"), accent: colour("accent"), pick: colour("pick"), rule: colour("rule"), paper: colour("paper") };
    const css = (parts, alpha = 1) => `rgba(${parts.join(",")},${alpha})`;
    const pen = canvas.getContext("2d");
    const dense = window.devicePixelRatio || 1;
    pen.setTransform(dense, 0, 0, dense, 0, 0);
    pen.clearRect(0, 0, width, height);
    pen.lineCap = "round";
    const line = (key, query, layer) => strand(pen, key, query, layer);
    pen.drawImage(behind(css, ink.rule, dense), 0, 0, width, height);
    // What leads to the chosen one.
    const { flows, sources } = rollout(means, count, at);
    const widest = Math.max(1e-9, ...flows.flat().filter(([key, query]) => key !== query).map(([, , part]) => part));
    for (let layer = 0; layer < Math.min(depth, shares.layers); layer++)
      for (const [key, query, part] of flows[layer]) {
        const own = key === query;
        pen.strokeStyle = css(own && query === at ? ink.pick : ink.accent, own ? Math.min(0.9, 0.15 + Math.sqrt(part)) : Math.min(0.95, 0.1 + 0.85 * Math.sqrt(part / widest)));
        pen.lineWidth = own ? 0.5 + 8 * part : 0.4 + (4 * part) / widest;
        line(key, query, layer);
      }
    // What is held after each layer.
    for (let layer = 0; layer <= shares.layers; layer++)
      for (let token = 0; token < count; token++) {
        const sure = lens ? lens.share(layer, token, 0) : 0.5;
        pen.beginPath();
        pen.arc(x(token), y(layer), 2.2 + 3.2 * sure, 0, 7);
        pen.fillStyle = token === at ? css(ink.pick) : css(mixed(ink.paper, ink.accent, 0.35 + 0.65 * sure));
        pen.fill();
      }
    labels(pen, css, ink, sources);
  };

  const labels = (pen, css, ink, sources) => {
    const at = sides.tokens.at;
    const { x, y, slanted, step, wide } = place;
    const write = (text, token, down, tone, bold) => {
      pen.save();
      pen.font = `${bold ? 700 : 400} 12.5px ${getComputedStyle(document.documentElement).getPropertyValue("--mono")}`;
      pen.fillStyle = tone;
      const limit = slanted ? 11 : Math.max(4, Math.floor(step / 8.2));
      const all = Array.from(shown(text));
      const cut = all.length > limit ? all.slice(0, limit - 1).join("") + "…" : all.join("");
      pen.translate(x(token), down ? y(shares.layers) + 16 : y(0) - 12);
      if (slanted) pen.rotate(-Math.PI / 4);
      pen.textAlign = slanted ? (down ? "right" : "left") : "center";
      pen.textBaseline = down ? "top" : "bottom";
      if (slanted) pen.textBaseline = "middle";
      pen.fillText(cut, 0, 0);
      pen.restore();
    };
    const strongest = Math.max(...sources, 1e-9);
    trace.tokens.forEach((token, place) => {
      const tone = place === at ? css(ink.pick) : css(mixed(ink.soft, ink.accent, Math.min(1, sources[place] / strongest)));
      write(token.text, place, false, tone, place === at || sources[place] > 0.6 * strongest);
      if (lens) write(nameOf(lens.id(shares.layers, place, 0)), place, true, place === at ? css(ink.pick) : css(ink.soft), place === at);
    });
    pen.font = "12px system-ui, sans-serif";
    pen.fillStyle = css(ink.soft);
    pen.textBaseline = "middle";
    for (let layer = 0; layer <= shares.layers; layer++)
      pen.fillText(wide < 700 ? String(layer || "in") : layer ? `layer ${layer}` : "embedding", 2, y(layer));
    if (lens && wide >= 700) pen.fillText("predicts", 2, y(shares.layers) + 28);
  };

  const tell = (at) => {
    const { sources } = rollout(means, count, at);
    const order = Array.from(sources, (part, token) => [part, token]).sort((one, other) => other[0] - one[0]).slice(0, 4);
    const parts = order.filter(([part]) => part > 0.02).flatMap(([part, token]) => [chip(trace.tokens[token].text), ` ${Math.round(100 * part)}\u00a0%  `]);
    byId("journey-said").replaceChildren("At the end, ", chip(trace.tokens[at].text, { class: "chosen" }), " holds something of: ", ...parts);
  };

  const flow = () => {
    cancelAnimationFrame(frame);
    tell(sides.tokens.at);
    if (calm.matches) return paint(shares.layers);
    const began = performance.now();
    const pause = Math.min(90, 500 / shares.layers);
    const move = (now) => {
      const depth = Math.ceil((now - began) / pause);
      paint(depth);
      if (depth < shares.layers) frame = requestAnimationFrame(move);
    };
    return move(began);
  };
  const see = () => {
    const x = place.x(sides.tokens.at);
    if (x < figure.scrollLeft + 40 || x > figure.scrollLeft + figure.clientWidth - 40) figure.scrollLeft = x - figure.clientWidth / 2;
  };
  measure();
  onTheme(() => paint(shares.layers));
  tell(sides.tokens.at);
  see();
  follow("tokens", () => (see(), flow()));
  figure.addEventListener("keydown", (event) => walk("tokens", event));
  const point = (event) => choose("tokens", Math.floor((event.offsetX - place.left) / place.step));
  canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && point(event));
  canvas.addEventListener("click", point);
  new ResizeObserver(() => {
    if (figure.clientWidth === place.wide) return;
    measure();
    paint(shares.layers);
  }).observe(figure);
}
