// Shows one window at a time. Everything from the data set becomes a text node or an attribute that
// cannot run; nothing is parsed as HTML.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const windows = data.windows;
const byId = (id) => document.getElementById(id);
const state = { at: 0, query: "", counts: null, hit: 0, parallel: false };
const number = new Intl.NumberFormat("en");
const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

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

/* ---- the list ---- */

function tokensByLanguage(w) {
  const tokens = new Map();
  for (const s of w.spans) {
    if (s.language !== null) tokens.set(s.language, (tokens.get(s.language) || 0) + s.length);
  }
  return [...tokens].sort((a, b) => a[0] - b[0]);
}

function shareBar(w) {
  const svg = draw("svg", { class: "share", viewBox: "0 0 100 3", preserveAspectRatio: "none", "aria-hidden": "true" });
  let x = 0;
  for (const [language, tokens] of tokensByLanguage(w)) {
    const width = (100 * tokens) / data.seqLength;
    svg.append(draw("rect", { class: colour(language), x, y: 0, width, height: 3 }));
    x += width;
  }
  return svg;
}

function buildList() {
  windows.forEach((w, i) => {
    const [, first] = sourcesOf(w)[0] || [null, { id: "", documents: [] }];
    const title = (first.documents.find((d) => d[2]) || [])[2] || first.id;
    byId("list").append(make("li", {}, make("a", { href: `#window-${w.number}`, "data-at": i },
      make("span", { class: "n" }, number.format(w.number)),
      make("span", { class: "t", dir: "auto" }, title),
      make("span", { class: "c" }), shareBar(w))));
  });
}

function showList() {
  [...byId("list").children].forEach((item, i) => {
    item.hidden = Boolean(state.counts) && state.counts[i] === 0;
    item.querySelector(".c").textContent = state.counts ? number.format(state.counts[i]) : "";
  });
  markPlace();
}

function markPlace() {
  const shown = visibleWindows();
  const place = shown.indexOf(state.at);
  byId("place").textContent = shown.length ? `${number.format(place + 1)} of ${number.format(shown.length)}` : "";
  byId("previous").disabled = place <= 0;
  byId("next").disabled = place < 0 || place >= shown.length - 1;
  const links = byId("list").querySelectorAll("a");
  byId("list").querySelectorAll("a[aria-current]").forEach((a) => a.removeAttribute("aria-current"));
  if (links[state.at]) {
    links[state.at].setAttribute("aria-current", "true");
    links[state.at].scrollIntoView({ block: "nearest" });
  }
}

/* ---- one window ---- */

function showWindow() {
  const none = !visibleWindows().length;
  byId("nothing").hidden = !none;
  byId("window").hidden = none;
  if (none) return byId("window").replaceChildren();
  const w = windows[state.at];
  const sources = sourcesOf(w);
  byId("window").replaceChildren(windowHeader(w, sources), ...windowBody(w), windowSources(sources));
}

function windowHeader(w, sources) {
  const chunks = new Set(w.spans.map((s) => s.chunk).filter((c) => c !== null)).size;
  const toggle = make("button", { type: "button", class: "parallel", "aria-pressed": String(state.parallel), "aria-keyshortcuts": "s" }, "Side by side");
  toggle.addEventListener("click", toggleParallel);
  const legend = make("ul", { class: "legend", "aria-label": "Languages" });
  for (const [language, tokens] of tokensByLanguage(w)) {
    legend.append(make("li", { class: colour(language) }, make("bdi", {}, languageName(code(language))), ` ${number.format(tokens)}`));
  }
  return make("header", {},
    make("h2", { id: "window-title", tabindex: "-1" }, `Window ${number.format(w.number)}`),
    make("p", { class: "facts" }, [many(data.seqLength, "token"), `${percent.format(w.fill)} filled`, many(chunks, "chunk"),
      many(sources.length, "pair"), `${number.format(w.loss)} with loss`].join(" · ")),
    windowMap(w), make("div", { class: "under" }, legend, toggle));
}

function windowMap(w) {
  const svg = draw("svg", { class: "map", viewBox: `0 0 ${data.seqLength} 10`, preserveAspectRatio: "none", role: "img" });
  const title = draw("title", {});
  title.textContent = "The tokens of the window from its beginning to its end, coloured by language";
  svg.append(title);
  for (const s of w.spans) {
    const kind = s.language === null ? s.role.toLowerCase() : colour(s.language);
    svg.append(draw("rect", { class: kind, x: s.start, y: 0, width: s.length, height: 10 }));
  }
  for (const s of w.spans) {
    if (s.role === "SPLIT") svg.append(draw("path", { class: "tick", d: `M${s.start + 0.5} 0v10` }));
  }
  return svg;
}

function windowBody(w) {
  const parts = [];
  let chunk = null;
  let section = null;
  for (const s of w.spans) {
    if (s.chunk !== chunk) {
      chunk = s.chunk;
      section = chunk === null ? null : chunkSection(w, s);
      if (section) parts.push(section);
    }
    if (section && s.language !== null) section.querySelector(".texts").append(textSpan(w, s));
    else (section || parts)[section ? "append" : "push"](plainSpan(s));
  }
  return parts;
}

function chunkSection(w, first) {
  const inside = w.spans.filter((s) => s.chunk === first.chunk && s.language !== null);
  const columns = [...new Set(inside.map((s) => s.language))];
  const tokens = inside.reduce((sum, s) => sum + s.length, 0);
  const titles = make("p", { class: "titles" });
  for (const [language, dir, title] of data.pairs[first.pair]?.documents || []) {
    if (title) titles.append(make("span", {}, make("bdi", { lang: language, dir }, title)));
  }
  return make("section", { class: `chunk columns-${Math.min(columns.length, 4)}`, "aria-label": `Chunk ${first.chunk}` },
    make("header", {}, make("h3", {}, `Chunk ${first.chunk}`),
      make("p", { class: "facts" }, `pair ${number.format(first.pair)} · ${many(tokens, "token")}`), titles),
    make("div", { class: "texts" }));
}

const loss = (s) => s.loss === s.length ? "loss" : s.loss ? "loss but for the first token" : "no loss";

function textSpan(w, s) {
  const [language, dir] = data.languages[s.language] || ["", "auto"];
  const columns = [...new Set(w.spans.filter((o) => o.chunk === s.chunk && o.language !== null).map((o) => o.language))];
  const text = make("div", { class: "text", lang: language, dir });
  for (const paragraph of s.text.split(/(?<=[^\n]\n\n)(?!\n)/)) {
    if (paragraph) text.append(make("p", {}, ...marked(paragraph.replace(/([^\n])\n\n$/, "$1"))));
  }
  return make("div", { class: `span ${colour(s.language)} column-${Math.min(columns.indexOf(s.language), 3) + 1}${s.loss ? "" : " masked"}` },
    make("p", { class: "label" }, make("b", {}, language), ` ${s.role.toLowerCase()} · ${many(s.length, "token")} from ${number.format(s.start)} · ${loss(s)}`),
    text);
}

function plainSpan(s) {
  const what = s.role === "PAD" ? `… ${number.format(s.length)} × PAD` : s.role === "SPLIT" ? "[SPLIT]" : s.role;
  return make("p", { class: `plain ${s.role.toLowerCase()}${s.loss ? "" : " masked"}` },
    make("b", {}, what), " ", make("bdi", {}, s.text), ` · ${loss(s)}`);
}

function windowSources(sources) {
  const section = make("section", { class: "sources", "aria-label": "Sources" }, make("h3", {}, "Where it came from"));
  for (const [pair, source] of sources) {
    const titles = source.documents.filter((d) => d[2]).map(([language, dir, title]) =>
      make("span", {}, make("bdi", { lang: language, dir }, ...marked(title))));
    const facts = make("dl", {});
    for (const [name, value, link] of source.facts) {
      const shown = make("bdi", {}, ...marked(value));
      facts.append(make("dt", {}, make("bdi", {}, name)), make("dd", {},
        link ? make("a", { href: link, rel: "noopener noreferrer nofollow", target: "_blank" }, shown) : shown));
    }
    section.append(make("details", { open: sources.length <= 3 },
      make("summary", {}, make("span", { class: "n" }, `pair ${number.format(pair)}`), " ",
        make("bdi", { class: "id" }, ...marked(source.id))),
      make("p", { class: "titles" }, ...titles), facts));
  }
  return section;
}

/* ---- moving about ---- */

function go(at, { focus = true } = {}) {
  if (at < 0 || at >= windows.length) return;
  state.at = at;
  state.hit = 0;
  showWindow();
  markPlace();
  if (state.counts) showHits();
  if (location.hash !== `#window-${windows[at].number}`) history.replaceState(null, "", `#window-${windows[at].number}`);
  document.body.classList.remove("listing");
  byId("open-list").setAttribute("aria-expanded", "false");
  if (!state.counts) window.scrollTo(0, 0);
  if (focus) byId("window-title")?.focus({ preventScroll: true });
}

function step(by) {
  const shown = visibleWindows();
  const place = shown.indexOf(state.at) + by;
  if (place >= 0 && place < shown.length) go(shown[place]);
}

function view(name) {
  const overview = name === "overview";
  document.body.classList.toggle("at-overview", overview);
  byId("view-windows").setAttribute("aria-pressed", String(!overview));
  byId("view-overview").setAttribute("aria-pressed", String(overview));
  history.replaceState(null, "", overview ? "#overview" : `#window-${windows[state.at].number}`);
  window.scrollTo(0, 0);
}

function toggleParallel() {
  state.parallel = !state.parallel;
  document.body.classList.toggle("parallel", state.parallel);
  document.querySelectorAll("button.parallel").forEach((b) => b.setAttribute("aria-pressed", String(state.parallel)));
}

const KEYS = {
  j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1),
  g: () => go(visibleWindows()[0] ?? -1), G: () => go(visibleWindows().at(-1) ?? -1),
  n: () => stepHit(1), N: () => stepHit(-1), s: toggleParallel,
  o: () => view(document.body.classList.contains("at-overview") ? "windows" : "overview"),
  "/": () => { view("windows"); byId("search").focus(); byId("search").select(); },
  "?": () => byId("help").showModal(),
  Escape: () => clearSearch(),
};

function clearSearch() {
  byId("search").value = "";
  byId("search").blur();
  if (state.query) search("");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("help").open || event.isComposing) return;
  if (event.target === byId("search")) {
    if (event.key === "Escape") clearSearch();
    else if (event.key === "Enter") stepHit(event.shiftKey ? -1 : 1);
    else return;
  } else if (KEYS[event.key]) KEYS[event.key]();
  else return;
  event.preventDefault();
});

function route() {
  const found = /^#window-(\d+)$/.exec(location.hash);
  const at = found ? windows.findIndex((w) => w.number === Number(found[1])) : -1;
  if (location.hash === "#overview") view("overview");
  else if (at >= 0) { if (document.body.classList.contains("at-overview")) view("windows"); go(at, { focus: false }); }
}

byId("search").addEventListener("input", (event) => { view("windows"); search(event.target.value); });
byId("search-form").addEventListener("submit", (event) => event.preventDefault());
byId("hit-next").addEventListener("click", () => stepHit(1));
byId("hit-previous").addEventListener("click", () => stepHit(-1));
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
byId("view-windows").addEventListener("click", () => view("windows"));
byId("view-overview").addEventListener("click", () => view("overview"));
byId("open-help").addEventListener("click", () => byId("help").showModal());
byId("open-list").addEventListener("click", () => {
  const open = document.body.classList.toggle("listing");
  byId("open-list").setAttribute("aria-expanded", String(open));
});
byId("list").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  go(Number(link.dataset.at));
});
window.addEventListener("hashchange", route);

document.body.classList.add("ready");
buildList();
showList();
showWindow();
route();
setTimeout(foldAhead, 50, 0);
