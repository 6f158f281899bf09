// From scores to what is drawn from, in Dragoman's order: penalties, temperature, top-k, top-p, min-p. Needs no page.

/** Probabilities after all settings. `counts` are [id, times seen]; cut tokens have 0; sums to 1. */
function warp(logits, counts, how) {
  const scores = Float64Array.from(logits);
  for (const [id, times] of counts) {
    const score = scores[id];
    scores[id] = score > 0 ? score / how.repetition_penalty : score * how.repetition_penalty;
    scores[id] -= times * how.frequency_penalty + how.presence_penalty;
  }
  if (how.temperature === 0) {
    const only = new Float64Array(scores.length);
    only[scores.indexOf(largestOf(scores))] = 1;
    return only;
  }
  for (let id = 0; id < scores.length; id++) scores[id] /= how.temperature;
  if (how.top_k > 0 && how.top_k < scores.length) {
    const sorted = Float64Array.from(scores).sort();
    dropBelow(scores, sorted[sorted.length - how.top_k]);
  }
  if (how.top_p < 1) {
    const chances = softmax(scores);
    const sorted = Float64Array.from(chances).sort();
    let before = 0;
    let last = sorted.length - 1;
    while (last > 0 && before + sorted[last] < how.top_p) before += sorted[last--];
    for (let id = 0; id < scores.length; id++) if (chances[id] < sorted[last]) scores[id] = -Infinity;
  }
  if (how.min_p > 0) dropBelow(scores, largestOf(scores) + Math.log(how.min_p));
  return softmax(scores);
}

function largestOf(scores) {
  let best = -Infinity;
  for (const score of scores) if (score > best) best = score;
  return best;
}

function dropBelow(scores, border) {
  for (let id = 0; id < scores.length; id++) if (scores[id] < border) scores[id] = -Infinity;
}

function softmax(scores) {
  const best = largestOf(scores);
  const chances = Float64Array.from(scores, (score) => Math.exp(score - best));
  let total = 0;
  for (const chance of chances) total += chance;
  for (let id = 0; id < chances.length; id++) chances[id] /= total;
  return chances;
}

/** A stream of numbers from 0 to 1, the same for the same seed (mulberry32). */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** The token that owns the place `dart` of the line on which tokens lie in this order. */
function drawn(chances, order, dart) {
  let passed = 0;
  let last = order[0];
  for (const id of order) {
    if (chances[id] === 0) continue;
    passed += chances[id];
    last = id;
    if (dart < passed) return id;
  }
  return last;
}
