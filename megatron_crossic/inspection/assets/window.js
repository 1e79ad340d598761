// The list of windows and the one that is read.

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
