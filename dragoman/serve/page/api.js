// Talks to the server this page came from, and to no other: requests, streams, and errors told as sentences.

const ENDINGS = {
  0: "The server does not answer. It may have stopped: start it again, then try once more.",
  401: "This server wants a key.",
  403: "This key may not do that.",
  404: "The server does not offer that.",
  408: "The request took too long to arrive.",
  413: "That is longer than the server takes.",
  429: "The server is busy.",
  500: "The server failed on this request.",
  503: "The server is not ready.",
  504: "The model took too long.",
};
const LONGEST_EVENT = 8_000_000; // characters of one event; a server that sends more is not ours

/** Something that went wrong, as a sentence for people. `wait` is in seconds; 0 where nothing was said of waiting. */
export class Trouble extends Error {
  constructor(status, message = "", wait = 0) {
    super(message);
    this.status = status;
    this.wait = wait;
  }

  get sentence() {
    const said = this.message.trim();
    if (!said) return ENDINGS[this.status] ?? `The server said no (${this.status}).`;
    const first = said.charAt(0).toUpperCase() + said.slice(1);
    return /[.!?…]$/.test(first) ? first : `${first}.`;
  }
}

// The key lives as long as the tab, and never in an address.
let key = "";
try {
  key = sessionStorage.getItem("dragoman.key") ?? "";
} catch {
  // a browser that keeps nothing: the key lives as long as the page
}

export function useKey(text) {
  key = text;
  try {
    if (text) sessionStorage.setItem("dragoman.key", text);
    else sessionStorage.removeItem("dragoman.key");
  } catch {
    // kept in this page alone
  }
}

export const hasKey = () => key !== "";

// Who talks here, told by a number of this browser alone: of two models on trial, the same person is answered by one.
const WHO = "dragoman.who";
let who = "";
try {
  who = localStorage.getItem(WHO) ?? "";
  if (!who) {
    who = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    localStorage.setItem(WHO, who);
  }
} catch {
  // a browser that keeps nothing: each page is somebody else
}

/** One request. Throws Trouble where the server says no or does not answer; an AbortError where `signal` stopped it. */
export async function call(path, { method = "GET", body, signal } = {}) {
  const headers = { Accept: "application/json, text/event-stream" };
  if (who) headers["X-Dragoman-Conversation"] = who;
  if (key) headers.Authorization = `Bearer ${key}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, {
      method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(0);
  }
  if (answer.ok) return answer;
  let message = "";
  try {
    message = String((await answer.json()).error.message ?? "");
  } catch {
    // no body of ours: the status alone tells it
  }
  const wait = Number.parseInt(answer.headers.get("Retry-After") ?? "0", 10);
  throw new Trouble(answer.status, message, Number.isFinite(wait) ? Math.min(Math.max(wait, 0), 3600) : 0);
}

/** The JSON of an answer. */
export async function json(path, settings) {
  const answer = await call(path, settings);
  if (answer.status === 204) return {};
  try {
    return await answer.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Trouble(500, "what the server sent could not be read");
  }
}

/** The data of each server-sent event, until the answer or `[DONE]` ends it. */
export async function* events(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  let data = [];
  try {
    for (;;) {
      let step;
      try {
        step = await reader.read();
      } catch (error) {
        if (error.name === "AbortError") throw error;
        throw new Trouble(0, "the connection broke in the middle of the answer");
      }
      held += step.value ?? "";
      if (held.length > LONGEST_EVENT) throw new Trouble(500, "the server sent more than this page reads");
      // A line may end in \r\n, and the two may come apart: a last \r waits for what follows it.
      const lines = held.split(/\r\n|\n|\r(?!$)/);
      held = step.done ? "" : lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(line.charAt(5) === " " ? 6 : 5));
        else if (line === "" && data.length) {
          const whole = data.join("\n");
          data = [];
          if (whole === "[DONE]") return;
          yield whole;
        }
      }
      if (step.done) throw new Trouble(0, "the answer ended before it was whole");
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** The objects of a stream. Throws Trouble where one of them is an error. */
export async function* objects(answer) {
  for await (const text of events(answer)) {
    let one;
    try {
      one = JSON.parse(text);
    } catch {
      throw new Trouble(500, "what the server sent could not be read");
    }
    if (one?.error) throw new Trouble(500, String(one.error.message ?? ""));
    yield one;
  }
}

/** Which answer this is and where it comes from, out of its headers. */
export function origin(answer) {
  let lineage = {};
  try {
    lineage = JSON.parse(answer.headers.get("X-Dragoman-Lineage") ?? "{}");
  } catch {
    // none told
  }
  return { id: answer.headers.get("X-Request-Id") ?? "", lineage: lineage ?? {} };
}
