// The conversations the server keeps for whoever holds this key: found, opened, named and deleted.
import { confirmed, made, part, tool } from "./dom.js";
import { json } from "./api.js";

const PATH = "/v1/conversations";
const TITLE = 60; // characters of the first question that name a conversation
const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });

/** An id that no other conversation has. Works also where the page came over plain http. */
export function fresh() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function named(question) {
  const line = question.trim().split("\n")[0];
  const signs = Array.from(line);
  return signs.length > TITLE ? `${signs.slice(0, TITLE).join("")}…` : line || "A conversation";
}

export class History {
  /** `room.open(conversation)` shows one; `room.left(id)` is told that one is gone. */
  constructor(room) {
    this.room = room;
    this.kept = false;
    this.rows = [];
    this.current = "";
    this.saving = Promise.resolve();
    part("search").addEventListener("input", () => this.draw());
    part("forget").addEventListener("click", () => this.forget());
  }

  /** Read the list. Throws Trouble, but for a server that keeps none. */
  async load() {
    try {
      const said = await json(PATH);
      this.kept = true;
      this.rows = (said.data ?? []).map((row) => ({ id: String(row.id), title: String(row.title ?? ""), updated: Number(row.updated) || 0 }));
    } catch (error) {
      if (error.status !== 404 && error.status !== 403) throw error;
      this.kept = false;
      this.rows = [];
    }
    this.draw();
  }

  /** Keep a conversation as it stands, one request after the other. */
  save(conversation) {
    if (!this.kept) return;
    const { id, title, messages, model } = conversation;
    this.saving = this.saving.then(async () => {
      try {
        await json(`${PATH}/${encodeURIComponent(id)}`, { method: "PUT", body: { title, messages, model } });
        this.rows = [{ id, title, updated: Math.floor(Date.now() / 1000) }, ...this.rows.filter((row) => row.id !== id)];
        this.tell("");
      } catch (error) {
        this.tell(`This conversation is not saved. ${error.sentence ?? ""}`);
      }
      this.draw();
    });
  }

  tell(text) {
    part("side-trouble").textContent = text;
    part("side-trouble").hidden = !text;
  }

  choose(id) {
    this.current = id;
    this.draw();
  }

  draw() {
    const sought = part("search").value.trim().toLocaleLowerCase();
    const rows = [...this.rows].sort((one, other) => other.updated - one.updated);
    const shown = rows.filter((row) => row.title.toLocaleLowerCase().includes(sought));
    const focused = document.activeElement?.closest("#conversations li")?.dataset.id;
    part("search").hidden = !this.kept || this.rows.length < 2;
    part("forget").hidden = !this.kept || this.rows.length === 0;
    part("side-note").textContent = !this.kept ? "This server keeps no conversations: this one is gone with the page." : !this.rows.length ? "Conversations are kept here as soon as something was asked." : !shown.length ? "No title has that in it." : "";
    part("side-note").hidden = !part("side-note").textContent;
    part("conversations").replaceChildren(...shown.map((row) => this.line(row)));
    if (focused) part("conversations").querySelector(`[data-id="${CSS.escape(focused)}"] .open`)?.focus();
  }

  line(row) {
    const when = row.updated ? LOCAL.format(new Date(row.updated * 1000)) : "";
    const open = made("button", { type: "button", class: "open", title: when, "aria-current": row.id === this.current ? "true" : null, on: { click: () => this.open(row.id) } }, made("bdi", {}, row.title || "Without a title"));
    return made("li", { "data-id": row.id, class: row.id === this.current ? "current" : "" }, open, tool("edit", "Rename", () => this.rename(row)), tool("remove", "Delete", () => this.remove(row)));
  }

  async open(id) {
    try {
      const said = await this.room.guarded(() => json(`${PATH}/${encodeURIComponent(id)}`));
      this.tell("");
      this.room.open({ id, title: String(said.title ?? ""), messages: Array.isArray(said.messages) ? said.messages : [], model: String(said.model ?? "") });
    } catch (error) {
      this.tell(error.sentence ?? "It could not be opened.");
      if (error.status === 404) {
        this.rows = this.rows.filter((row) => row.id !== id);
        this.draw();
      }
    }
  }

  rename(row) {
    const line = part("conversations").querySelector(`[data-id="${CSS.escape(row.id)}"]`);
    const field = made("input", { type: "text", dir: "auto", maxlength: 200, "aria-label": "Title" });
    field.value = row.title;
    let over = false;
    const end = async (keep) => {
      if (over) return;
      over = true;
      const title = field.value.trim();
      if (keep && title && title !== row.title) {
        try {
          const path = `${PATH}/${encodeURIComponent(row.id)}`;
          const said = await json(path);
          await json(path, { method: "PUT", body: { title, messages: said.messages, ...(said.model ? { model: said.model } : {}) } });
          row.title = title;
          this.room.renamed(row.id, title);
        } catch (error) {
          this.tell(`It keeps its name. ${error.sentence ?? ""}`);
        }
      }
      this.draw();
    };
    field.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.isComposing) end(true);
      else if (event.key === "Escape") {
        event.stopPropagation();
        end(false);
      }
    });
    field.addEventListener("blur", () => end(true));
    line.replaceChildren(field);
    field.focus();
    field.select();
  }

  async remove(row) {
    if (!(await confirmed(`Delete “${row.title}” for good?`, "Delete"))) return;
    await this.drop([row]);
  }

  async forget() {
    const count = this.rows.length;
    if (!(await confirmed(count === 1 ? "Delete the one conversation for good?" : `Delete all ${count} conversations for good?`, "Delete all"))) return;
    await this.drop([...this.rows]);
  }

  async drop(rows) {
    await this.saving;
    for (const row of rows) {
      try {
        await json(`${PATH}/${encodeURIComponent(row.id)}`, { method: "DELETE" });
      } catch (error) {
        if (error.status !== 404) {
          this.tell(`Not everything is deleted. ${error.sentence ?? ""}`);
          break;
        }
      }
      this.rows = this.rows.filter((other) => other.id !== row.id);
      this.room.left(row.id);
    }
    this.draw();
  }
}
