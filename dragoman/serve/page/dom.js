// Makes the elements of the page. Text becomes text nodes and nothing else: no string is ever read as HTML.

const PLAIN = new Set([
  "type", "title", "role", "for", "href", "rel", "target", "value", "placeholder", "rows", "step", "min", "max",
  "maxlength", "colspan", "scope", "tabindex", "autocomplete", "spellcheck", "inputmode", "lang", "open",
  "referrerpolicy", "datetime", "enterkeyhint", "start", "selected",
]);

export const part = (name) => document.getElementById(name);

/** An element with its class, attributes, listeners and children; a child that is a string is shown as it stands. */
export function made(kind, settings = {}, ...children) {
  const one = document.createElement(kind);
  for (const [name, value] of Object.entries(settings)) {
    if (value === undefined || value === null || value === false || (name === "class" && !value)) continue;
    if (name === "class") one.className = value;
    else if (name === "id") one.id = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) one.addEventListener(event, act);
    else if (name === "hidden" || name === "disabled") one[name] = true;
    else if (name === "dir") continue;
    else if (name.startsWith("aria-") || name.startsWith("data-")) one.setAttribute(name, String(value));
    else if (PLAIN.has(name)) one.setAttribute(name, value === true ? "" : String(value));
    else throw new Error("no attribute of that name is set here");
  }
  one.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  // Behind the children: a browser looks for the direction anew at each child that comes into such an element.
  if (settings.dir) one.dir = settings.dir;
  return one;
}

const SHAPES = {
  copy: "M9 9h10v11H9zM5 15V4h10",
  done: "M5 12.5l4.5 4.5L19 7",
  again: "M4.5 12a7.5 7.5 0 1 0 2.4-5.5M7 2.8v4h4",
  edit: "M4 20l1-4L16.5 4.5l3 3L8 19zM14 7l3 3",
  up: "M7 11v9H4v-9zM7 11l4-8c1.6 0 2.5 1.1 2.3 2.7L12.8 9H18.5c1.2 0 2 1.1 1.7 2.2l-1.8 7.2c-.3 1-1 1.6-2 1.6H7",
  down: "M7 13V4H4v9zM7 13l4 8c1.6 0 2.5-1.1 2.3-2.7L12.8 15H18.5c1.2 0 2-1.1 1.7-2.2L18.4 5.6C18.1 4.6 17.4 4 16.4 4H7",
  close: "M6 6l12 12M18 6L6 18",
  menu: "M4 7h16M4 12h16M4 17h10",
  new: "M12 5v14M5 12h14",
  tune: "M4 8h9M17 8h3M4 16h3M11 16h9M15 6v4M9 14v4",
  light: "M12 8a4 4 0 1 0 0 8a4 4 0 1 0 0-8M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  send: "M12 20V5M6 11l6-6.5l6 6.5",
  stop: "M7 7h10v10H7z",
  pair: "M4 5h6.5v14H4zM13.5 5H20v14h-6.5z",
  remove: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13",
};

/** A small drawing from the list above, hidden from readers of the screen: its button says what it does. */
export function drawing(name) {
  const space = "http://www.w3.org/2000/svg";
  const one = document.createElementNS(space, "svg");
  one.setAttribute("viewBox", "0 0 24 24");
  one.setAttribute("aria-hidden", "true");
  one.setAttribute("class", `drawing ${name}`);
  const line = document.createElementNS(space, "path");
  line.setAttribute("d", SHAPES[name]);
  one.append(line);
  return one;
}

/** A button with a drawing; its name is told on hover and to readers of the screen. */
export function tool(shape, name, act, more = {}) {
  return made(
    "button",
    { type: "button", class: "tool", "aria-label": name, title: name, on: { click: act }, ...more },
    drawing(shape),
  );
}

/** Copy a text; also where the page came over plain http and the browser has no clipboard for it. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const held = made("textarea", { class: "away" });
    held.value = text;
    document.body.append(held);
    held.select();
    const copied = document.execCommand("copy");
    held.remove();
    return copied;
  }
}

/** A button that copies what `text()` gives, and shows for a moment that it did. */
export function copier(text, name = "Copy") {
  const button = tool("copy", name, async () => {
    const copied = await copy(text());
    button.replaceChildren(drawing(copied ? "done" : "close"));
    announce(copied ? "Copied" : "The browser does not let this page copy");
    setTimeout(() => button.replaceChildren(drawing("copy")), 1400);
  });
  return button;
}

/** Tell readers of the screen; nothing is seen. */
export function announce(text) {
  part("spoken").textContent = text;
}

/** Show a dialog and wait for one of its buttons: what the button stands for; empty where it was left. */
export function answered(dialog) {
  return new Promise((resolve) => {
    const end = (answer) => {
      dialog.onclose = dialog.oncancel = null;
      dialog.close();
      resolve(answer);
    };
    for (const button of dialog.querySelectorAll("button[data-answer]")) button.onclick = () => end(button.dataset.answer);
    dialog.oncancel = (event) => {
      event.preventDefault();
      end("");
    };
    // A browser may close it without asking; what it still has to say of an earlier time is not meant.
    dialog.onclose = () => dialog.open || end("");
    dialog.showModal();
  });
}

/** Ask before something cannot be undone. Resolves to whether it was confirmed. */
export async function confirmed(question, act) {
  part("confirm-question").textContent = question;
  part("confirm-yes").textContent = act;
  const answer = answered(part("confirm"));
  part("confirm-no").focus();
  return (await answer) === "yes";
}

/** Where a browser keeps settings; one that keeps nothing forgets them with the page. */
export const kept = {
  get(name) {
    try {
      return localStorage.getItem(`dragoman.${name}`);
    } catch {
      return null;
    }
  },
  put(name, value) {
    try {
      if (value === null) localStorage.removeItem(`dragoman.${name}`);
      else localStorage.setItem(`dragoman.${name}`, value);
    } catch {
      // nothing is kept
    }
  },
};
