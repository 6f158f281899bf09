// Shows one item at a time and sends each judgement; the next one appears only once the server has saved it.
// Texts of models are set through textContent alone, so that whatever they hold is shown and nothing of it runs.
"use strict";

const part = (name) => document.getElementById(name);
const named = new URLSearchParams(location.search).get("rater");
let view = null;
let picked = [];
let waiting = false;

function made(kind, name, text) {
  const one = document.createElement(kind);
  one.className = name;
  if (text !== undefined) one.textContent = text;
  return one;
}

function tell(text) {
  part("trouble").textContent = text;
  part("trouble").hidden = !text;
}

async function ask(path, body) {
  if (waiting) return;
  waiting = true;
  try {
    const how = body ? { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) } : {};
    const answer = await fetch(path, { ...how, cache: "no-store" });
    const said = await answer.json();
    if (said.error) {
      tell(said.error.message);
    } else {
      tell(answer.status === 409 ? "This one was judged in another window; here is the next." : "");
      view = said;
    }
  } catch {
    tell("The server does not answer, and this was not saved. Start it again with the same command, then press the key again.");
  } finally {
    waiting = false;
    picked = [];
    if (view) draw();
  }
}

function send(act, places) {
  if (view.item) ask("/judge", { rater: view.rater, act, item: view.item.key, picked: places });
}

function pick(place) {
  if (!view?.item || waiting || picked.includes(place) || place >= view.item.completions.length) return;
  picked.push(place);
  if (picked.length >= view.item.completions.length - 1) send("rank", picked);
  else mark();
}

function undo() {
  if (!view || waiting) return;
  if (picked.length) {
    picked.pop();
    mark();
  } else if (view.undo) {
    ask("/judge", { rater: view.rater, act: "undo" });
  }
}

function mark() {
  const count = view.item ? view.item.completions.length : 0;
  document.querySelectorAll(".choice").forEach((choice, place) => {
    const rank = picked.indexOf(place);
    choice.classList.toggle("picked", rank >= 0);
    choice.querySelector("button").setAttribute("aria-pressed", String(rank >= 0));
    choice.querySelector(".rank").textContent = rank < 0 ? "" : ["best", "second", "third"][rank];
  });
  const words = picked.length ? "next best" : count > 2 ? "best" : "better one";
  part("hint").textContent = view.item ? `Press 1 ${count > 2 ? "to" : "or"} ${count} for the ${words}` : "";
  part("tie-word").textContent = picked.length ? "The rest tie" : "Tie";
  part("tie").disabled = part("skip").disabled = !view.item;
  part("undo").disabled = !view.undo && !picked.length;
}

function draw() {
  const item = view.item;
  part("question").textContent = item ? view.question : "";
  part("rater").textContent = view.rater;
  part("count").textContent = `${view.done} of ${view.total} done` + (view.skipped ? `, ${view.skipped} skipped` : "");
  part("progress").max = view.total;
  part("progress").value = view.done;
  part("finished").hidden = Boolean(item);
  part("summary").textContent = `${view.done - view.skipped} judged, ${view.skipped} skipped.`;
  const said = item ? item.prompt : [];
  const alone = said.length === 1;
  part("prompt").hidden = !item;
  part("prompt").replaceChildren(
    ...said.flatMap((one) => [...(alone ? [] : [made("p", "role", one.role)]), made("p", "text", one.content)]),
  );
  const texts = item ? item.completions : [];
  part("completions").dataset.count = texts.length;
  part("completions").replaceChildren(
    ...texts.map((text, place) => {
      const choice = made("article", "choice");
      const head = made("p", "head");
      const button = made("button", "");
      button.type = "button";
      button.setAttribute("aria-label", `Choose answer ${place + 1}`);
      button.append(made("kbd", "", String(place + 1)));
      head.append(button, made("span", "rank", ""));
      choice.append(head, made("p", "text", text));
      choice.addEventListener("click", () => {
        if (String(getSelection())) return; // somebody marked words to read or copy them
        pick(place);
      });
      return choice;
    }),
  );
  mark();
  scrollTo(0, 0);
}

document.addEventListener("keydown", (event) => {
  if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !view) return;
  const key = event.key.toLowerCase();
  if (key >= "1" && key <= "4" && key.length === 1) pick(Number(key) - 1);
  else if (key === "0" || key === "t") waiting || send("rank", picked);
  else if (key === "s") waiting || send("skip", []);
  else if (key === "u") undo();
  else return;
  event.preventDefault();
});
part("tie").addEventListener("click", () => send("rank", picked));
part("skip").addEventListener("click", () => send("skip", []));
part("undo").addEventListener("click", undo);
ask("/view" + (named ? "?rater=" + encodeURIComponent(named) : ""));
