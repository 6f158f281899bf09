// The ribbon on top: the text as tokens; point at one, or use the arrow keys, and the page follows.

function ribbonRow(side, name) {
  const one = sides[side];
  const track = make("div", { class: "track", role: "listbox", "aria-label": name, "aria-orientation": "horizontal" });
  const options = one.tokens.map((token, at) => {
    const option = chip(token.text, {
      class: token.special ? "special" : "",
      role: "option",
      tabindex: at === one.at ? 0 : -1,
      "aria-selected": String(at === one.at),
      "aria-label": `token ${at + 1}: ${token.text.trim() || shown(token.text)}`,
      onpointerenter: (event) => event.pointerType === "mouse" && choose(side, at),
      onclick: () => choose(side, at),
      onfocus: () => choose(side, at),
    });
    if (!token.special) option.style.setProperty("--tint", `var(--tint-${at % 5})`);
    return option;
  });
  track.append(...options);
  let before = one.at;
  track.addEventListener("keydown", (event) => walk(side, event) && options[one.at].focus());
  const center = () => {
    const option = options[one.at];
    const left = option.offsetLeft - track.offsetLeft;
    const outside = left < track.scrollLeft || left + option.offsetWidth > track.scrollLeft + track.clientWidth;
    if (outside) track.scrollLeft = left - track.clientWidth / 2 + option.offsetWidth / 2;
  };
  follow(side, (at) => {
    options[before].setAttribute("aria-selected", "false");
    options[before].tabIndex = -1;
    options[at].setAttribute("aria-selected", "true");
    options[at].tabIndex = 0;
    before = at;
    center();
  });
  requestAnimationFrame(() => options.length && center());
  return track;
}

function startRibbon() {
  const two = trace.targets.length > 0;
  const row = (side, name) =>
    make(
      "div",
      { class: "row" },
      two ? make("span", { class: "name" }, name) : null,
      ribbonRow(side, name),
      side === "tokens" ? make("span", { class: "hint" }, "point, or ", make("kbd", {}, "←"), " ", make("kbd", {}, "→")) : null,
    );
  byId("ribbon").append(row("tokens", two ? "read" : "The tokens of the text"));
  if (two) byId("ribbon").append(row("targets", "written"));
  const contents = byId("contents");
  for (const section of document.querySelectorAll("main section"))
    contents.append(make("li", {}, make("a", { href: `#${section.id}` }, section.dataset.short)));
}
