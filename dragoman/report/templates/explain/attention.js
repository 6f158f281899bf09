// 4 and 5: every head as a small square, and the chosen one large: lines, square, and the text it reads.

/** What a head does on the whole: the mean share on some simple places. */
function habits(shares, layer, head) {
  const { queries, keys } = shares;
  const same = queries === keys;
  const sums = { "the token before": 0, "the token after": 0, itself: 0, "the first token": 0 };
  let asked = 0;
  for (let query = 1; query < queries; query++) {
    asked++;
    sums["the first token"] += shares.share(layer, head, query, 0);
    if (!same) continue;
    if (query > 1) sums["the token before"] += shares.share(layer, head, query, query - 1);
    sums.itself += shares.share(layer, head, query, query);
    if (query + 1 < keys) sums["the token after"] += shares.share(layer, head, query, query + 1);
  }
  return Object.entries(sums).map(([name, sum]) => [name, sum / Math.max(1, asked)]).sort((one, other) => other[1] - one[1]);
}

function startAttention(box) {
  const name = box.dataset.attention;
  const shares = sharesOf(trace.attention[name]);
  const asking = name === "self" ? "tokens" : "targets";
  const reading = name === "target" ? "targets" : "tokens";
  const state = { layer: Math.min(1, shares.layers - 1), head: 0 };
  const paints = [];
  const buttons = headGrid(box, shares, state, (layer, head) => {
    state.layer = (layer + shares.layers) % shares.layers;
    state.head = (head + shares.heads) % shares.heads;
    buttons.forEach((one) => one.mark());
    paints.forEach((paint) => paint());
  });
  const choosing = (layer, head) => buttons[0].pick(layer, head);
  const large = make("div", { class: "large", role: "group", tabindex: 0, "aria-label": "The chosen head, large. Arrow keys left and right choose the token, up and down the layer, comma and full stop the head." });
  box.append(large);
  large.append(headChoice(shares, state, choosing, paints));
  const said = make("p", { "aria-live": "polite" });
  large.append(said);
  const square = headSquare(shares, state, asking, paints);
  const links = headLinks(shares, state, asking, reading, paints);
  large.append(make("div", { class: "two" }, links, square), headText(shares, state, asking, reading, paints));
  paints.push(() => said.replaceChildren(...readingSentence(shares, state, asking, reading)));
  large.addEventListener("keydown", (event) => {
    if (event.target !== large) return;
    const jumps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ",": [0, -1], ".": [0, 1] };
    if (event.key in jumps) {
      event.preventDefault();
      choosing(state.layer + jumps[event.key][0], state.head + jumps[event.key][1]);
    } else walk(asking, event);
  });
  onTheme(() => paints.forEach((paint) => paint()));
  follow(asking, () => paints.forEach((paint) => paint()));
  if (reading !== asking) follow(reading, () => paints.forEach((paint) => paint()));
}

function headGrid(box, shares, state, pick) {
  const { layers, heads } = shares;
  const grid = make("div", { class: "grid", role: "group", "aria-label": "All heads; arrow keys move, Enter shows one large" });
  // All heads are to be seen at a glance: the more layers, the smaller the squares.
  const size = Math.max(34, Math.min(112, Math.floor(640 / layers)));
  grid.style.gridTemplateColumns = `max-content repeat(${heads}, minmax(30px, ${size}px))`;
  grid.style.minWidth = `${64 + 34 * heads}px`;
  const buttons = [];
  grid.append(make("span", {}), ...Array.from({ length: heads }, (_, head) => make("span", { class: "number", "aria-hidden": "true" }, heads > 10 ? String(head + 1) : `head ${head + 1}`)));
  for (let layer = 0; layer < layers; layer++) {
    grid.append(make("span", { class: "layer" }, `layer ${layer + 1}`));
    for (let head = 0; head < heads; head++) {
      const [habit, share] = habits(shares, layer, head)[0];
      const title = `layer ${layer + 1}, head ${head + 1}: ${Math.round(100 * share)} % on ${habit}`;
      const canvas = make("canvas", { width: shares.keys, height: shares.queries });
      const button = make("button", { class: "head", type: "button", title, "aria-label": title, onclick: () => pick(layer, head) }, canvas);
      const mark = () => {
        const mine = layer === state.layer && head === state.head;
        button.setAttribute("aria-pressed", String(mine));
        button.tabIndex = mine ? 0 : -1;
      };
      mark();
      buttons.push({ layer, head, button, canvas, mark, pick });
      grid.append(button);
    }
  }
  grid.addEventListener("keydown", (event) => {
    const now = buttons.findIndex((one) => one.button === document.activeElement);
    const to = { ArrowLeft: now - 1, ArrowRight: now + 1, ArrowUp: now - heads, ArrowDown: now + heads, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined || !buttons[to]) return;
    event.preventDefault();
    buttons[to].button.focus();
  });
  box.append(make("div", { class: "scroll wide-heads" }, grid));
  onTheme(() => {
    const tones = ramp(colour("empty"), colour("accent"));
    for (const { layer, head, canvas } of buttons) squareInto(canvas, shares, layer, head, tones);
  });
  return buttons;
}

function squareInto(canvas, shares, layer, head, tones) {
  const pen = canvas.getContext("2d");
  const image = pen.createImageData(shares.keys, shares.queries);
  for (let query = 0; query < shares.queries; query++)
    for (let key = 0; key < shares.keys; key++) {
      const tone = tones[Math.round(255 * Math.sqrt(shares.share(layer, head, query, key)))];
      image.data.set([...tone, shares.causal && key > query ? 0 : 255], 4 * (query * shares.keys + key));
    }
  pen.putImageData(image, 0, 0);
}

function headChoice(shares, state, choosing, paints) {
  const list = (count, noun) => make("select", { "aria-label": noun }, Array.from({ length: count }, (_, place) => make("option", { value: place }, `${noun} ${place + 1}`)));
  const layer = list(shares.layers, "layer");
  const head = list(shares.heads, "head");
  layer.addEventListener("change", () => choosing(Number(layer.value), state.head));
  head.addEventListener("change", () => choosing(state.layer, Number(head.value)));
  const title = make("h4", {});
  const habit = make("span", { class: "quiet" });
  paints.push(() => {
    layer.value = state.layer;
    head.value = state.head;
    title.textContent = `Layer ${state.layer + 1}, head ${state.head + 1}`;
    const [[first, share], [second, less]] = habits(shares, state.layer, state.head);
    habit.textContent = share > 0.5 ? `Looks mostly at ${first}: ${Math.round(100 * share)} % on average.${first === "the first token" ? " Heads with nothing to do rest there (Xiao et al. 2023)." : ""}` : `On average ${Math.round(100 * share)} % on ${first}, ${Math.round(100 * less)} % on ${second}.`;
  });
  const keys = make("span", { class: "quiet" }, make("kbd", {}, "↑"), " ", make("kbd", {}, "↓"), " layer  ", make("kbd", {}, ","), " ", make("kbd", {}, "."), " head");
  return make("div", { class: "bar-of-choices" }, title, layer, head, keys, habit);
}

function readingSentence(shares, state, asking, reading) {
  const at = sides[asking].at;
  const parts = Array.from({ length: shares.keys }, (_, key) => [shares.share(state.layer, state.head, at, key), key]);
  const best = parts.sort((one, other) => other[0] - one[0]).slice(0, 4).filter(([share]) => share > 0.01);
  return [chip(sides[asking].tokens[at].text, { class: "chosen" }), " reads ", ...best.flatMap(([share, key]) => [chip(sides[reading].tokens[key].text), ` ${Math.round(100 * share)}\u00a0%  `])];
}

function headSquare(shares, state, asking, paints) {
  const canvas = make("canvas", { width: shares.keys, height: shares.queries, role: "img", "aria-label": "Who reads whom: rows ask, columns are read" });
  canvas.style.imageRendering = "pixelated";
  const frame = make("div", { class: "frame" });
  const told = make("figcaption", {}, "Rows ask, columns are read. Point at a cell.");
  const where = (event) => [Math.floor((event.offsetY / canvas.clientHeight) * shares.queries), Math.floor((event.offsetX / canvas.clientWidth) * shares.keys)];
  const point = (event) => {
    const [query, key] = where(event);
    if (query < 0 || key < 0 || query >= shares.queries || key >= shares.keys) return;
    choose(asking, query);
    const answer = canvas.dataset.reading === "targets" ? trace.targets : trace.tokens;
    const share = shares.share(state.layer, state.head, query, key);
    told.replaceChildren(chip(sides[asking].tokens[query].text), shares.causal && key > query ? " may not read " : ` reads ${percent(share)} from `, chip(answer[key].text));
  };
  canvas.dataset.reading = shares.queries === shares.keys && asking === "targets" && shares.causal ? "targets" : "tokens";
  canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && point(event));
  canvas.addEventListener("click", point);
  paints.push(() => {
    squareInto(canvas, shares, state.layer, state.head, ramp(colour("empty"), colour("accent")));
    frame.style.top = `${(100 * sides[asking].at) / shares.queries}%`;
    frame.style.height = `${100 / shares.queries}%`;
  });
  return make("figure", {}, make("div", { class: "square" }, canvas, frame), told);
}

function headLinks(shares, state, asking, reading, paints) {
  const box = make("div", { class: "links scroll", tabindex: -1 });
  const ask = sides[asking].tokens;
  const read = sides[reading].tokens;
  const paint = () => {
    const at = sides[asking].at;
    const wide = Math.max(270, box.clientWidth || 440);
    const row = Math.max(17, Math.min(30, Math.floor(480 / Math.max(ask.length, read.length))));
    const side = Math.min(140, wide * 0.33);
    const high = row * Math.max(ask.length, read.length) + 4;
    const drawing = draw("svg", { width: wide, height: high, role: "img", "aria-label": "Lines from the chosen token to those it reads" });
    const y = (place) => row * place + row / 2 + 2;
    const best = Math.max(...read.map((_, key) => shares.share(state.layer, state.head, at, key)));
    const curve = (query, key, share, faint) =>
      draw("path", { d: `M${side + 4},${y(query)} C${wide / 2},${y(query)} ${wide / 2},${y(key)} ${wide - side - 4},${y(key)}`, class: faint ? "faint" : "", "stroke-width": Math.max(0.6, 8 * share), "stroke-opacity": faint ? "" : 0.25 + 0.75 * share });
    const lines = [];
    for (let query = 0; query < ask.length; query++)
      for (let key = 0; key < read.length; key++) {
        const share = shares.share(state.layer, state.head, query, key);
        if (query !== at && share > 0.3 && ask.length <= 64) lines.unshift(curve(query, key, share * 0.5, true));
        if (query === at && share > 0.01) lines.push(curve(query, key, share, false));
      }
    const word = (tokens, place, left, kind, given) => {
      const cut = Array.from(shown(tokens[place].text)).slice(0, Math.floor(side / 8)).join("");
      return draw("g", { class: `spot ${kind}`, ...given }, draw("rect", { x: left ? 0 : wide - side, y: row * place + 2, width: side, height: row - 1, rx: 4 }), draw("text", { x: left ? side - 6 : wide - side + 6, y: y(place) + 4, "text-anchor": left ? "end" : "start" }, cut));
    };
    const left = ask.map((_, place) => word(ask, place, true, place === at ? "chosen" : "", { onpointerenter: () => choose(asking, place), onclick: () => choose(asking, place) }));
    const right = read.map((_, place) => {
      const share = shares.share(state.layer, state.head, at, place);
      const group = word(read, place, false, share > 0.005 ? "read" : "", reading === asking ? { onclick: () => choose(reading, place) } : {});
      group.firstChild.style.fillOpacity = Math.sqrt(share / Math.max(best, 1e-9)) * Math.min(0.45, 0.15 + share);
      return group;
    });
    drawing.append(...lines, ...left, ...right);
    box.replaceChildren(drawing);
    const down = row * at;
    if (down < box.scrollTop || down > box.scrollTop + box.clientHeight - row) box.scrollTop = down - box.clientHeight / 2;
  };
  paints.push(paint);
  let wide = 0;
  new ResizeObserver(() => {
    if (Math.abs(box.clientWidth - wide) < 2) return;
    wide = box.clientWidth;
    paint();
  }).observe(box);
  return box;
}

function headText(shares, state, asking, reading, paints) {
  const words = sides[reading].tokens.map((token, place) => chip(token.text, reading === asking ? { onclick: () => choose(reading, place) } : {}));
  paints.push(() => {
    const at = sides[asking].at;
    words.forEach((word, key) => {
      const share = shares.share(state.layer, state.head, at, key);
      word.style.background = `color-mix(in srgb, var(--accent) ${Math.round(60 * Math.sqrt(share))}%, transparent)`;
      word.classList.toggle("chosen", reading === asking && key === at);
    });
  });
  return make("p", { class: "text-map", "aria-label": "The text, darker where the chosen token reads more" }, words);
}
