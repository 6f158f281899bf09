// Asks a model in the way its task is asked, and tells what comes: pieces of text, labels, sources, figures.
import { call, json, objects, origin } from "./api.js";

/** How a model is used on this page. */
export function manner(model) {
  if (!model) return "none";
  if (model.sources) return "ask";
  if (["classify", "tag", "embed"].includes(model.task)) return model.task;
  return model.chat === false ? "complete" : "chat";
}

/** The messages a model is given: what was said before in this conversation, then the question. */
function spoken(before, question, system) {
  const said = before.map(({ role, content }) => ({ role, content }));
  const told = system.trim() ? [{ role: "system", content: system }] : [];
  return [...told, ...said, { role: "user", content: question }];
}

/** Ask. Yields {text} to append, {whole} instead of it, {results}, {passages}, {usage}, {id, lineage}, {refused}.

Throws Trouble, or an AbortError where `signal` stopped it. */
export async function* asked(model, before, question, settings, signal) {
  const how = manner(model);
  const ways = { ask: askSources, classify: label, tag: label, embed, complete, chat };
  yield* ways[how](model, before, question, settings, signal);
}

async function* chat(model, before, question, settings, signal) {
  const messages = spoken(before, question, settings.system);
  const body = { model: model.id, messages, stream: true, stream_options: { include_usage: true }, ...settings.sampling };
  const answer = await call("/v1/chat/completions", { method: "POST", body, signal });
  yield origin(answer);
  for await (const one of objects(answer)) {
    const choice = one.choices?.[0];
    if (typeof choice?.delta?.content === "string" && choice.delta.content) yield { text: choice.delta.content };
    for (const made of choice?.delta?.tool_calls ?? []) yield { text: `\n\n\`${made.function?.name ?? ""}(${made.function?.arguments ?? ""})\`\n` };
    if (choice?.finish_reason) yield { finish: choice.finish_reason };
    if (one.usage) yield { usage: one.usage };
  }
}

async function* complete(model, before, question, settings, signal) {
  const body = { model: model.id, prompt: question, stream: true, stream_options: { include_usage: true }, ...settings.sampling };
  const answer = await call("/v1/completions", { method: "POST", body, signal });
  yield origin(answer);
  for await (const one of objects(answer)) {
    const choice = one.choices?.[0];
    if (choice?.text) yield { text: choice.text };
    if (choice?.finish_reason) yield { finish: choice.finish_reason };
    if (one.usage) yield { usage: one.usage };
  }
}

async function* askSources(model, before, question, settings, signal) {
  const messages = before.map(({ role, content }) => ({ role, content }));
  const body = { model: model.id, question, stream: true, ...(messages.length ? { messages } : {}) };
  const answer = await call("/v1/ask", { method: "POST", body, signal });
  yield origin(answer);
  for await (const one of objects(answer)) {
    if (typeof one.delta === "string") yield { text: one.delta };
    else if (typeof one.answer === "string") {
      const told = one.lineage && Object.keys(one.lineage).length ? { lineage: one.lineage } : {};
      yield { whole: one.answer, passages: one.passages ?? [], citations: one.citations ?? [], refused: one.refused === true, ...told };
      if (one.usage) yield { usage: one.usage };
    }
  }
}

async function* label(model, before, question, settings, signal) {
  const path = model.task === "tag" ? "/v1/tag" : "/v1/classify";
  const answer = await call(path, { method: "POST", body: { model: model.id, inputs: [question] }, signal });
  yield origin(answer);
  const said = await answer.json();
  const result = said.results?.[0] ?? {};
  yield { results: result, whole: model.task === "tag" ? tagged(question, result).map(([word, tag]) => (tag ? `${word} (${tag})` : word)).join(" ") : labelled(result) };
}

/** The label, or all of them where several hold. */
export const labelled = (result) => (result.labels?.length > 1 ? result.labels.join(", ") : result.label ?? "no label");

/** Each word with its tag; words stand between single spaces, and a word outside of everything has none. */
export function tagged(text, result) {
  const tags = result.tags ?? result.labels ?? [];
  return text.split(" ").map((word, place) => [word, tags[place] && tags[place] !== "O" ? String(tags[place]) : ""]);
}

async function* embed(model, before, question, settings, signal) {
  const lines = question.split("\n").map((line) => line.trim()).filter(Boolean);
  const answer = await call("/v1/embeddings", { method: "POST", body: { model: model.id, input: lines }, signal });
  yield origin(answer);
  const said = await answer.json();
  const vectors = (said.data ?? []).map((row) => row.embedding);
  const near = (one, other) => {
    let dot = 0, a = 0, b = 0;
    one.forEach((value, place) => {
      dot += value * other[place];
      a += value * value;
      b += other[place] * other[place];
    });
    return a && b ? dot / Math.sqrt(a * b) : 0;
  };
  const nearness = lines.slice(1).map((line, place) => [line, near(vectors[0], vectors[place + 1])]);
  const size = vectors[0]?.length ?? 0;
  yield { nearness, usage: said.usage, whole: nearness.length ? nearness.map(([line, value]) => `${line}: ${value.toFixed(3)}`).join("\n") : `A vector of ${size} numbers. Write more lines to see how near each stands to the first.` };
}

/** The models of the server, the first one first. */
export async function models() {
  const said = await json("/v1/models");
  return (said.data ?? []).map((one) => ({ id: String(one.id), labels: [], task: "", ...one.dragoman }));
}

/** Send what somebody thinks of an answer; returns once the server has stored it. */
export const judge = (id, thumb, correction, comment) =>
  json("/v1/feedback", { method: "POST", body: { id, thumb, ...(correction ? { correction } : {}), ...(comment ? { comment } : {}) } });
