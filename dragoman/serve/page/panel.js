// The panel at the side: settings, or a passage behind an answer.
import { part } from "./dom.js";

const TITLES = { settings: "How it writes", source: "Where this comes from" };
let back = null;

/** Show the panel with these nodes; the focus moves into it, and back when it is closed. */
export function openPanel(kind, nodes) {
  const panel = part("panel");
  if (panel.hidden) back = document.activeElement;
  panel.dataset.kind = kind;
  part("panel-title").textContent = TITLES[kind];
  part("panel-body").replaceChildren(...nodes.filter(Boolean));
  part("panel-body").scrollTop = 0;
  panel.hidden = false;
  document.body.classList.add("with-panel");
  part("open-settings").setAttribute("aria-expanded", String(kind === "settings"));
  part("panel-title").focus({ preventScroll: true });
}

export const panelShows = () => (part("panel").hidden ? "" : part("panel").dataset.kind);

export function closePanel() {
  if (part("panel").hidden) return;
  part("panel").hidden = true;
  document.body.classList.remove("with-panel");
  part("open-settings").setAttribute("aria-expanded", "false");
  if (back?.isConnected) back.focus({ preventScroll: true });
  back = null;
}
