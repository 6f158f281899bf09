// What each layer would predict: a row for each layer, a column for each token, paler where it is unsure.

function lensOf(packed) {
  const ids = unpack(packed.ids);
  const chances = unpack(packed.probabilities);
  const [rows, columns, guesses] = packed.ids.shape;
  const place = (row, column, guess) => (row * columns + column) * guesses + guess;
  const real = unpack(packed.real);
  const rank = unpack(packed.rank);
  return {
    rows,
    columns,
    guesses,
    id: (row, column, guess) => ids[place(row, column, guess)],
    share: (row, column, guess) => chances[place(row, column, guess)],
    real: (row, column) => real[row * columns + column],
    rank: (row, column) => rank[row * columns + column],
  };
}

function startLens() {
  const lens = lensOf(trace.lens);
  const side = trace.lens.of;
  const tokens = sides[side].tokens;
  const shift = trace.kind === "encoder" ? 0 : 1;
  const state = { row: lens.rows - 1 };
  const rowName = (row) => (row === 0 ? "embedding" : row === lens.rows - 1 ? `layer ${row}: said` : `layer ${row}`);
  const cells = [];
  const tops = tokens.map((token) => make("th", { scope: "col" }, written(token.text)));
  const body = Array.from({ length: lens.rows }, (_, row) => {
    cells[row] = tokens.map((_, column) => {
      const share = lens.share(row, column, 0);
      const name = nameOf(lens.id(row, column, 0));
      const right = shift && tokens[column + 1] && lens.id(row, column, 0) === tokens[column + 1].id;
      const cell = make(
        "td",
        { tabindex: -1, class: right ? "right" : "", title: `${shown(name)} ${percent(share)}`, onpointerenter: (event) => event.pointerType === "mouse" && go(row, column), onclick: () => go(row, column, true), onfocus: () => go(row, column) },
        written(name),
      );
      cell.style.background = `color-mix(in srgb, var(--accent) ${Math.round(4 + 44 * share)}%, var(--paper))`;
      return cell;
    });
    return make("tr", {}, make("th", { scope: "row" }, rowName(row)), cells[row]);
  });
  const figure = byId("lens-figure");
  figure.append(make("table", { "aria-label": "What each layer would predict after each token; arrow keys move" }, make("thead", {}, make("tr", {}, make("th", { scope: "col" }, shift ? "after" : "at"), tops)), make("tbody", {}, body)));
  let at = [state.row, sides[side].at];
  const mark = (on) => {
    cells.forEach((row) => row[at[1]].classList.toggle("chosen", on));
    tops[at[1]].classList.toggle("chosen", on);
    cells[at[0]][at[1]].classList.toggle("at", on);
    cells[at[0]][at[1]].tabIndex = on ? 0 : -1;
  };
  const paint = () => {
    mark(false);
    at = [state.row, sides[side].at];
    mark(true);
    byId("lens-said").replaceChildren(...lensSentence(lens, tokens, at, rowName(at[0]), shift));
  };
  const go = (row, column, focused) => {
    const moved = column !== sides[side].at;
    state.row = row;
    if (moved) choose(side, column);
    else if (row !== at[0]) paint();
    if (focused) cells[row][column].focus({ preventScroll: true });
  };
  figure.addEventListener("keydown", (event) => {
    const [row, column] = at;
    const to = { ArrowUp: [row - 1, column], ArrowDown: [row + 1, column], ArrowLeft: [row, column - 1], ArrowRight: [row, column + 1], Home: [row, 0], End: [row, tokens.length - 1] }[event.key];
    if (!to || !cells[to[0]]?.[to[1]]) return;
    event.preventDefault();
    go(to[0], to[1]);
    cells[to[0]][to[1]].focus();
  });
  follow(side, () => {
    paint();
    const top = tops[at[1]];
    const left = top.offsetLeft;
    if (left < figure.scrollLeft + 100 || left + top.offsetWidth > figure.scrollLeft + figure.clientWidth) figure.scrollLeft = left - figure.clientWidth / 2;
  });
  paint();
  requestAnimationFrame(() => (figure.scrollLeft = tops[at[1]].offsetLeft - figure.clientWidth / 2));
}

function lensSentence(lens, tokens, [row, column], rowName, shift) {
  const guesses = Array.from({ length: lens.guesses }, (_, guess) => ({
    text: nameOf(lens.id(row, column, guess)),
    share: lens.share(row, column, guess),
    value: percent(lens.share(row, column, guess)),
  }));
  const next = tokens[column + shift];
  const real = lens.real(row, column);
  const told = shift && next ? make("p", {}, "What really came, ", chip(next.text), `, has ${percent(real)} here: place ${thousands(lens.rank(row, column) + 1)}, ${real > 0 ? (-Math.log2(real)).toFixed(1) : "many"} bits of surprise.`) : null;
  return [make("p", {}, `${rowName[0].toUpperCase()}${rowName.slice(1)}, ${shift ? "after" : "at"} `, chip(tokens[column].text, { class: "chosen" }), ":"), told, barList(guesses, "The most probable tokens")].filter(Boolean);
}
