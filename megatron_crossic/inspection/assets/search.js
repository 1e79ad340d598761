// Shows one window at a time. Everything from the data set becomes a text node or an attribute that
// cannot run; nothing is parsed as HTML.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const windows = data.windows;
const byId = (id) => document.getElementById(id);
const state = { at: 0, query: "", counts: null, hit: 0, parallel: false };
const number = new Intl.NumberFormat("en");
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 2 });

/* ---- small makers ---- */

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

function draw(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const many = (n, thing) => `${number.format(n)} ${thing}${n === 1 ? "" : "s"}`;
const colour = (language) => `l${language % 8}`;
const code = (language) => (data.languages[language] || ["?"])[0];

function languageName(name) {
  try {
    const found = new Intl.DisplayNames(["en"], { type: "language" }).of(name);
    return found && found !== name ? `${found} (${name})` : name;
  } catch {
    return name;
  }
}

/* ---- search ---- */

// Lower case without a change of length, so that places in the folded text are places in the text.
function fold(text) {
  const lower = text.toLowerCase();
  if (lower.length === text.length) return lower;
  return Array.from(text, (c) => (c.toLowerCase().length === c.length ? c.toLowerCase() : c)).join("");
}

const sourcesOf = (w) =>
  [...new Set(w.spans.map((s) => s.pair).filter((pair) => pair !== null))].map((pair) => [pair, data.pairs[pair]]);

// Every string of a window that `marked` shows: hits counted are hits that can be visited.
function strings(w) {
  const found = w.spans.filter((s) => s.language !== null).map((s) => s.text);
  for (const [, source] of sourcesOf(w)) {
    found.push(source.id, ...source.documents.map((d) => d[2]), ...source.facts.map((f) => f[1]));
  }
  return found;
}

const haystacks = windows.map(() => null);
const haystack = (i) => (haystacks[i] ??= fold(strings(windows[i]).join("\u0000")));

// Fold all texts while nobody waits, so that the first search is as quick as the others.
function foldAhead(from) {
  const to = Math.min(from + 20, windows.length);
  for (let i = from; i < to; i += 1) haystack(i);
  if (to < windows.length) setTimeout(foldAhead, 0, to);
}

function countHits(text, query) {
  let hits = 0;
  for (let at = text.indexOf(query); at >= 0; at = text.indexOf(query, at + query.length)) hits += 1;
  return hits;
}

function search(query) {
  state.query = fold(query);
  state.counts = state.query ? windows.map((_, i) => countHits(haystack(i), state.query)) : null;
  state.hit = 0;
  const shown = visibleWindows();
  if (shown.length && !shown.includes(state.at)) state.at = shown[0];
  showWindow();
  showHits();
  setTimeout(showList); // laying out the list takes longer than the search: the text comes first
}

const visibleWindows = () =>
  windows.map((_, i) => i).filter((i) => !state.counts || state.counts[i] > 0);

function showHits() {
  const total = state.counts ? state.counts.reduce((a, b) => a + b, 0) : 0;
  const before = state.counts ? state.counts.slice(0, state.at).reduce((a, b) => a + b, 0) : 0;
  byId("hits").value = !state.counts ? "" : !total ? "no hits"
    : `${number.format(before + state.hit + 1)} of ${number.format(total)} in ${many(visibleWindows().length, "window")}`;
  byId("hit-next").disabled = byId("hit-previous").disabled = !total;
  const marks = byId("window").querySelectorAll("mark");
  marks.forEach((mark, i) => mark.classList.toggle("current", i === state.hit));
  const current = marks[state.hit];
  if (!current) return;
  const details = current.closest("details");
  if (details) details.open = true;
  current.scrollIntoView({ block: "center" });
}

function stepHit(by) {
  if (!state.counts || !visibleWindows().length) return;
  state.hit += by;
  if (state.hit < 0 || state.hit >= state.counts[state.at]) {
    const shown = visibleWindows();
    const place = (shown.indexOf(state.at) + by + shown.length) % shown.length;
    state.at = shown[place];
    state.hit = by > 0 ? 0 : state.counts[state.at] - 1;
    showWindow();
    markPlace();
  }
  showHits();
}

// Text with its hits marked and cut characters explained.
function marked(text) {
  const parts = [];
  const folded = state.query ? fold(text) : "";
  let from = 0;
  for (let at = state.query ? folded.indexOf(state.query) : -1; at >= 0; at = folded.indexOf(state.query, from)) {
    parts.push(...withCuts(text.slice(from, at)));
    from = at + state.query.length;
    parts.push(make("mark", {}, text.slice(at, from)));
  }
  parts.push(...withCuts(text.slice(from)));
  return parts;
}

const CUT_TITLE = "Bytes that are no character here: a cut went through it, or the text had it so";
const withCuts = (text) =>
  text.split(/(\ufffd)/).map((part) =>
    part === "\ufffd" ? make("span", { class: "cut", title: CUT_TITLE }, part) : part);
