// Keys, buttons and addresses; what happens when the page opens.

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
