// Asks for the figures again and again and shows them. All words are set as text; the chart is this server's own SVG,
// taken as a parsed document, so that nothing here turns a string into markup.
"use strict";

const part = (name) => document.getElementById(name);
const narrow = matchMedia("(max-width: 700px)");
let paused = false;
let every = 10;
let timer = 0;

function made(kind, name, text) {
  const one = document.createElement(kind);
  if (name) one.className = name;
  if (text !== undefined) one.textContent = text;
  return one;
}

function fill(table, rows) {
  const names = [...part(table).tHead.rows[0].cells].map((cell) => cell.textContent);
  part(table).tBodies[0].replaceChildren(
    ...rows.map((cells) => {
      const row = made("tr");
      cells.forEach((cell, place) => {
        const one = made(place ? "td" : "th", place ? "number" : "");
        if (place) one.dataset.name = names[place];
        else one.scope = "row";
        one.hidden = !cell && narrow.matches;
        one.append(made("bdi", "", cell));
        row.append(one);
      });
      return row;
    }),
  );
}

function alertOf(one) {
  const item = made("li", "alert");
  const step = made("p", "next", "Next: ");
  step.append(made("code", "", one.next));
  item.append(made("strong", "", one.name), made("p", "", one.said), step);
  return item;
}

function draw(view) {
  const count = view.alerts.length;
  part("state").textContent = count ? `${count} ${count === 1 ? "alert rings" : "alerts ring"}` : "Nothing rings";
  document.title = `${count ? `(${count}) ` : ""}Watch · Dragoman`;
  document.body.classList.toggle("rings", count > 0);
  part("journal").textContent = view.journal;
  part("span").textContent = view.span;
  part("seen").textContent = new Date(view.at * 1000).toLocaleTimeString();
  part("seen").dateTime = new Date(view.at * 1000).toISOString();
  part("alerts").replaceChildren(...view.alerts.map(alertOf));
  fill("figures", view.rows);
  fill("models", view.models);
  part("against").textContent = view.against;
  part("drift").hidden = !view.drift.length;
  fill("drift", view.drift);
  every = view.every;
}

function drawChart() {
  const request = new XMLHttpRequest();
  request.open("GET", `/chart/course-${narrow.matches ? "narrow" : "wide"}`);
  request.responseType = "document";
  request.onload = () => {
    const drawing = request.responseXML?.documentElement;
    if (request.status === 200 && drawing) part("course").replaceChildren(document.importNode(drawing, true));
  };
  request.send();
}

async function look() {
  clearTimeout(timer);
  try {
    const answer = await fetch("/view", { cache: "no-store" });
    const said = await answer.json();
    part("trouble").hidden = !said.error;
    if (said.error) part("trouble").textContent = said.error.message;
    else {
      draw(said);
      drawChart();
    }
  } catch {
    part("trouble").hidden = false;
    part("trouble").textContent = "The page's own server does not answer. Start it again with the same command.";
  }
  if (!paused) timer = setTimeout(look, every * 1000);
}

part("pause").addEventListener("click", () => {
  paused = !paused;
  part("pause").setAttribute("aria-pressed", String(paused));
  part("pause").textContent = paused ? "Go on" : "Pause";
  if (paused) clearTimeout(timer);
  else look();
});
narrow.addEventListener("change", drawChart);
look();
