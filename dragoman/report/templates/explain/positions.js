// 3: how the model knows where a token stands: a map of all positions, and the chosen one in it.

/** A heat map: values by row and column, from minus to plus; the chosen column is framed. */
function heatMap(rows, columns, value, high, label) {
  const canvas = make("canvas", { class: "map", width: columns, height: rows, role: "img", "aria-label": label });
  canvas.style.height = `${high}px`;
  const paint = () => {
    const empty = colour("empty");
    const plus = ramp(empty, colour("accent"));
    const minus = ramp(empty, colour("minus"));
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(columns, rows);
    for (let row = 0; row < rows; row++)
      for (let column = 0; column < columns; column++) {
        const share = value(row, column);
        const tone = (share < 0 ? minus : plus)[Math.min(255, Math.round(Math.abs(share) * 255))];
        image.data.set([...tone, 255], 4 * (row * columns + column));
      }
    pen.putImageData(image, 0, 0);
  };
  return { canvas, paint };
}

function framed(map, columns) {
  const frame = make("div", { class: "frame" });
  const box = make("div", { class: "square" }, map.canvas, frame);
  map.canvas.style.aspectRatio = "auto";
  const pointed = (event) => Math.floor((event.offsetX / map.canvas.clientWidth) * columns);
  map.canvas.addEventListener("pointermove", (event) => event.pointerType === "mouse" && choose("tokens", pointed(event)));
  map.canvas.addEventListener("click", (event) => choose("tokens", pointed(event)));
  const move = (at) => {
    frame.style.left = `${(100 * at) / columns}%`;
    frame.style.width = `${100 / columns}%`;
    frame.style.right = "auto";
    frame.style.top = "-3px";
    frame.style.bottom = "-3px";
  };
  return { box, move };
}

const scaleBar = (low, high, both = true) =>
  make("div", { class: "legend" }, make("span", {}, low), make("i", { class: both ? "" : "one" }), make("span", {}, high));

function startPositions() {
  const { kind, values } = trace.positions;
  const numbers = unpack(values);
  const [rows, columns] = values.shape;
  const starts = { rotary: startRotary, learned: startTable, sinusoidal: startTable, relative: startBias, alibi: startBias };
  starts[kind]?.(byId("positions-figure"), byId("positions-said"), numbers, rows, columns);
}

function startRotary(figure, said, angles, count, pairs) {
  const map = heatMap(pairs, count, (pair, at) => Math.cos(angles[at * pairs + pair]), Math.min(300, Math.max(110, pairs * 7)), "Cosine of the angle of each pair of dimensions at each position");
  const { box, move } = framed(map, count);
  const every = Math.max(1, Math.ceil(pairs / 10));
  const dials = Array.from({ length: Math.ceil(pairs / every) }, (_, index) => index * every).map((pair) => {
    const hand = draw("line", { class: "hand", x1: 50, y1: 50, x2: 50, y2: 12 });
    hand.style.transformBox = "view-box";
    hand.style.transformOrigin = "50% 50%";
    const turn = (2 * Math.PI) / Math.max(1e-12, count > 1 ? angles[pairs + pair] - angles[pair] : 1);
    const said = turn >= 1e6 ? turn.toExponential(0) : thousands(turn);
    const dial = draw("svg", { viewBox: "0 0 100 100", "aria-hidden": "true" }, draw("circle", { class: "clock", cx: 50, cy: 50, r: 46 }), draw("circle", { cx: 50, cy: 50, r: 3, class: "hub" }), hand);
    return { pair, hand, node: make("figure", {}, dial, make("figcaption", {}, `pair ${pair + 1}: one turn`, make("br"), `in ${turn < 10 ? turn.toFixed(1) : said} tokens`)) };
  });
  figure.append(
    scaleBar("turned away", "as at the start"),
    box,
    make("p", { class: "quiet" }, `Left to right: the ${count} positions. Top to bottom: the ${pairs} pairs of dimensions of a head, fast ones first.`),
    make("div", { class: "clocks" }, dials.map((dial) => dial.node)),
  );
  onTheme(map.paint);
  const paint = (at) => {
    move(at);
    for (const { pair, hand } of dials) hand.style.transform = `rotate(${angles[at * pairs + pair]}rad)`;
    said.replaceChildren("Token ", chip(trace.tokens[at].text, { class: "chosen" }), ` stands at position ${at}: its pairs have turned by as much as the hands show.`);
  };
  follow("tokens", paint);
  paint(sides.tokens.at);
}

function startTable(figure, said, table, count, width) {
  let largest = 1e-9;
  for (const value of table) largest = Math.max(largest, Math.abs(value));
  const near = Array.from(table, Math.abs).sort((one, other) => one - other)[Math.floor(table.length * 0.98)] || largest;
  const map = heatMap(width, count, (row, at) => Math.max(-1, Math.min(1, table[at * width + row] / near)), 280, "The vector of each position");
  const { box, move } = framed(map, count);
  const alike = (one, other) => {
    let product = 0;
    let first = 0;
    let second = 0;
    for (let row = 0; row < width; row++) {
      const a = table[one * width + row];
      const b = table[other * width + row];
      product += a * b;
      first += a * a;
      second += b * b;
    }
    return product / (Math.sqrt(first * second) || 1);
  };
  const strip = heatMap(1, count, (_, at) => alike(sides.tokens.at, at), 28, "How alike the vector of the chosen position is to the others");
  const under = framed(strip, count);
  figure.append(
    scaleBar("below zero", "above zero"),
    box,
    make("p", { class: "quiet" }, `Left to right: the first ${count} positions. Top to bottom: ${thousands(width)} of the numbers of each vector.`),
    make("p", { class: "quiet" }, "How alike the chosen position is to each of the others (cosine):"),
    under.box,
  );
  onTheme(map.paint);
  onTheme(strip.paint);
  const paint = (at) => {
    move(at);
    under.move(at);
    strip.paint();
    const others = Array.from({ length: count }, (_, other) => [alike(at, other), other]).filter((one) => one[1] !== at);
    const [best] = others.sort((one, other) => other[0] - one[0]);
    said.replaceChildren("Token ", chip(trace.tokens[at].text, { class: "chosen" }), ` stands at position ${at}.`, best ? ` The vector of position ${best[1]} is most like its own (cosine ${best[0].toFixed(2)}).` : "");
  };
  follow("tokens", paint);
  paint(sides.tokens.at);
}

function startBias(figure, said, bias, heads, distances) {
  const count = trace.tokens.length;
  const middle = (distances - 1) / 2;
  let largest = 1e-9;
  for (const value of bias) largest = Math.max(largest, Math.abs(value));
  const at = () => sides.tokens.at;
  const seen = (key) => !trace.attention.self.causal || key <= at();
  const map = heatMap(heads, count, (head, key) => (seen(key) ? bias[head * distances + middle + key - at()] / largest : 0), Math.min(300, Math.max(120, heads * 20)), "What each head adds to the score of each token");
  const { box, move } = framed(map, count);
  figure.append(
    scaleBar(`${(-largest).toFixed(1)}: read less`, `+${largest.toFixed(1)}: read more`),
    box,
    make("p", { class: "quiet" }, `Top to bottom: the ${heads} heads. Left to right: the tokens; the framed one asks.`),
  );
  const paint = () => {
    move(at());
    map.paint();
    said.replaceChildren("When ", chip(trace.tokens[at()].text, { class: "chosen" }), " asks, this is added to the score of every token, whatever the tokens are.");
  };
  onTheme(paint);
  follow("tokens", paint);
}
