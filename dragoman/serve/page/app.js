// Brings the page to life: which model answers, what the keys do, and what is shown where.
import { announce, drawing, kept, made, part } from "./dom.js";
import { manner, models as listModels } from "./asking.js";
import { Thread } from "./chat.js";
import { drawSettings, Settings } from "./settings.js";
import { fresh, History, named } from "./history.js";
import { closePanel, openPanel, panelShows } from "./panel.js";
import { greeting, guarded, wireKey } from "./door.js";

const PLACEHOLDERS = {
  chat: "Ask a question", complete: "Begin a text", ask: "Ask the documents", classify: "A text to be labelled",
  tag: "A text to be tagged", embed: "One text a line", none: "There is nothing to ask",
};
const settings = new Settings();
let offered = [];
let conversation = { id: fresh(), title: "" };

const say = part("say");
const chosen = () => offered.find((one) => one.id === part("model").value);
const second = () => (part("compare").getAttribute("aria-pressed") === "true" ? offered.find((one) => one.id === part("other").value) : undefined);

const room = {
  settings,
  guarded,
  models: () => [chosen(), second()].filter(Boolean),
  state: drawState,
  changed() {
    const messages = thread.messages();
    if (!messages.length) return;
    conversation.title ||= named(messages[0].content);
    history.choose(conversation.id);
    history.save({ ...conversation, messages, model: chosen().id });
  },
  open(one) {
    conversation = { id: one.id, title: one.title };
    if (offered.some((model) => model.id === one.model)) part("model").value = one.model;
    thread.open(one.messages, chosen());
    history.choose(one.id);
    drawModel();
    closeSide();
    say.focus();
  },
  renamed(id, title) {
    if (id === conversation.id) conversation.title = title;
  },
  left(id) {
    if (id === conversation.id) begin();
  },
};
const thread = new Thread(part("turns"), part("thread"), room);
const history = new History(room);

function begin() {
  thread.clear();
  conversation = { id: fresh(), title: "" };
  history.choose("");
  drawModel();
  closeSide();
  say.focus();
}

function drawState() {
  const way = manner(chosen());
  part("send").hidden = thread.busy;
  part("stop").hidden = !thread.busy;
  part("send").disabled = way === "none" || !say.value.trim();
  part("greeting").replaceChildren(...(thread.turns.length ? [] : [greeting(chosen(), way)]));
  document.title = conversation.title && thread.turns.length ? `${conversation.title} · Dragoman` : "Dragoman";
}

function drawModel() {
  const model = chosen();
  const way = manner(model);
  say.placeholder = PLACEHOLDERS[way];
  say.disabled = way === "none";
  part("open-settings").classList.toggle("changed", settings.changed > 0 && (way === "chat" || way === "complete"));
  part("compare").hidden = offered.length < 2;
  part("other").hidden = part("compare").getAttribute("aria-pressed") !== "true";
  part("versus").hidden = part("other").hidden;
  if (panelShows() === "settings") showSettings();
  drawState();
}

function showSettings() {
  const place = made("div", { class: "settings" });
  const inside = part("panel-body").contains(document.activeElement);
  drawSettings(place, settings, manner(chosen()), () => part("open-settings").classList.toggle("changed", settings.changed > 0));
  if (!inside) openPanel("settings", [place]);
}

function drawModels() {
  const options = () => offered.map((one) => made("option", { value: one.id }, one.task && one.task !== "chat" ? `${one.id} (${one.task})` : one.id));
  part("model").replaceChildren(...options());
  part("other").replaceChildren(...options());
  const before = kept.get("model");
  if (offered.some((one) => one.id === before)) part("model").value = before;
  apart();
}

/** The second model is another one than the first, where there is another. */
function apart() {
  if (part("other").value === part("model").value) part("other").value = offered.find((one) => one.id !== part("model").value)?.id ?? "";
}

async function submit() {
  const question = say.value.trim();
  if (!question || thread.busy || !chosen()) return;
  say.value = "";
  grow();
  await thread.send(question);
}

function grow() {
  say.style.height = "auto";
  say.style.height = `${Math.min(say.scrollHeight, innerHeight * 0.4)}px`;
  part("send").disabled = !say.value.trim();
}

function closeSide() {
  document.body.classList.remove("with-side");
  part("open-side").setAttribute("aria-expanded", "false");
}

function drawTheme() {
  const dark = (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  part("theme").setAttribute("aria-label", dark ? "Light" : "Dark");
  part("theme").title = dark ? "Light" : "Dark";
  return dark;
}

function wire() {
  for (const button of document.querySelectorAll("button[data-drawing]")) button.prepend(drawing(button.dataset.drawing));
  wireKey();
  part("composer").addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  say.addEventListener("input", grow);
  say.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      submit();
    }
  });
  part("stop").addEventListener("click", () => {
    thread.stop();
    say.focus();
  });
  part("new").addEventListener("click", begin);
  part("model").addEventListener("change", () => {
    kept.put("model", part("model").value);
    apart();
    drawModel();
  });
  part("other").addEventListener("change", drawModel);
  part("compare").addEventListener("click", () => {
    const on = part("compare").getAttribute("aria-pressed") !== "true";
    part("compare").setAttribute("aria-pressed", String(on));
    apart();
    drawModel();
    announce(on ? "Two models answer side by side" : "One model answers");
  });
  part("open-settings").addEventListener("click", () => (panelShows() === "settings" ? closePanel() : showSettings()));
  part("close-panel").addEventListener("click", closePanel);
  part("open-side").addEventListener("click", () => {
    const open = document.body.classList.toggle("with-side");
    part("open-side").setAttribute("aria-expanded", String(open));
  });
  part("veil").addEventListener("click", closeSide);
  part("theme").addEventListener("click", () => {
    document.documentElement.dataset.theme = drawTheme() ? "light" : "dark";
    kept.put("theme", document.documentElement.dataset.theme);
    drawTheme();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTheme);
  document.addEventListener("keydown", keys);
}

function keys(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const writing = /^(?:INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
  if (event.key === "Escape") {
    if (thread.busy) thread.stop();
    else if (document.body.classList.contains("with-side")) closeSide();
    else closePanel();
  } else if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
    event.preventDefault();
    begin();
  } else if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    say.focus();
  }
}

/** Ask the server what it serves. */
async function start() {
  part("start-trouble").hidden = true;
  try {
    offered = await guarded(listModels);
    drawModels();
    await guarded(() => history.load());
  } catch (error) {
    part("start-trouble").replaceChildren(made("p", {}, error.sentence ?? "This page failed on what it was sent."), made("button", { type: "button", class: "plain", on: { click: start } }, "Try again"));
    part("start-trouble").hidden = false;
  }
  drawTheme();
  drawModel();
  say.focus();
}

wire();
start();
