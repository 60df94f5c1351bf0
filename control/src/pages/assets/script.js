// What the pages have beyond HTML: what is new as it happens, keys, buttons that copy, filters without loading the whole page.
// Everything works without it. Text goes into a page only as the server made it, escaped, and is parsed without running anything.
"use strict";

const byId = (id) => document.getElementById(id);
const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

let saying = 0;
function say(text) {
  clearTimeout(saying);
  byId("said").textContent = "";
  saying = setTimeout(() => { byId("said").textContent = text; }, 100);
}

// ---- Parts of a page: the same address, of which only the results are taken over.

async function load(address, push) {
  let answer;
  try {
    answer = await fetch(address, { credentials: "same-origin", headers: { accept: "text/html" } });
  } catch {
    location.assign(address);
    return;
  }
  if (!answer.ok) { location.assign(address); return; }
  const page = parsed(await answer.text());
  const results = page.getElementById("results");
  if (!results) { location.assign(address); return; }
  byId("results").replaceWith(document.adoptNode(results));
  if (push) { history.pushState(null, "", address); }
  begin();
}

function submitted(event) {
  const form = event.target;
  if (form.id !== "filter" || !byId("results")) { return; }
  event.preventDefault();
  const fields = new URLSearchParams();
  for (const [name, value] of new FormData(form)) {
    if (value !== "") { fields.append(name, value); }
  }
  const query = fields.toString();
  const path = form.getAttribute("action") || location.pathname;
  load(query ? `${path}?${query}` : path, true).then(() => {
    const rows = document.querySelectorAll("#events tbody tr").length;
    say(document.querySelector("#results .alert") ? "The filter cannot be used." : `${rows} rows.`);
  });
}

// ---- Live: rows as they come, the newest on top.

const live = { source: null, paused: false, waiting: [], fresh: 0, told: 0 };
const MOST_ROWS = 300;
const MOST_WAITING = 300;

function rowOf(text) {
  const row = parsed(`<table><tbody>${text}</tbody></table>`).querySelector("tr");
  return row && document.adoptNode(row);
}

function put(text) {
  const row = rowOf(text);
  const body = document.querySelector("#events tbody");
  if (!row || !body) { return; }
  const known = body.querySelector(`tr[data-id="${CSS.escape(row.dataset.id)}"]`);
  if (known) {
    if (known.isEqualNode(row)) { return; }
    const had = known.contains(document.activeElement);
    known.replaceWith(row);
    if (had) { row.querySelector("a").focus(); }
    return;
  }
  const at = (one) => one.querySelector("time").dateTime;
  let before = body.firstElementChild;
  while (before && at(before) > at(row)) { before = before.nextElementSibling; }
  row.classList.add("fresh");
  body.insertBefore(row, before);
  live.fresh += 1;
  byId("empty").hidden = true;
  while (body.rows.length > MOST_ROWS && !body.lastElementChild.contains(document.activeElement)) {
    body.lastElementChild.remove();
  }
}

function mark(word, kind, text) {
  const shown = byId("live-mark");
  if (!shown) { return; }
  shown.textContent = word;
  shown.className = `mark ${kind}`;
  byId("live-text").textContent = text;
}

function showLive() {
  if (live.paused) {
    const more = live.waiting.length >= MOST_WAITING ? " or more" : "";
    mark("paused", "finding", `${live.waiting.length}${more} new`);
  } else {
    mark("live", "allow", "New events come on top.");
  }
}

function arrived(text) {
  if (!live.paused) { put(text); return; }
  if (live.waiting.length < MOST_WAITING) { live.waiting.push(text); }
  showLive();
}

function pause() {
  const button = byId("pause");
  if (!button || button.hidden) { return; }
  live.paused = !live.paused;
  button.setAttribute("aria-pressed", String(live.paused));
  if (!live.paused) {
    if (live.waiting.length >= MOST_WAITING) {
      live.waiting = [];
      load(location.href, false);
      return;
    }
    live.waiting.splice(0).forEach(put);
  }
  showLive();
  say(live.paused ? "Paused." : "Live again.");
}

function listen() {
  if (live.source) { live.source.close(); }
  Object.assign(live, { source: null, paused: false, waiting: [], fresh: 0 });
  const results = byId("results");
  const address = results && results.dataset.stream;
  if (!address) { return; }
  const source = new EventSource(address);
  live.source = source;
  byId("pause").hidden = false;
  source.addEventListener("open", showLive);
  source.addEventListener("row", (event) => arrived(event.data));
  source.addEventListener("skipped", (event) => {
    byId("live-text").textContent = `${event.data} more came than could be shown; load the page again to see them.`;
  });
  source.addEventListener("stale", () => { source.close(); if (!live.paused) { load(location.href, false); } });
  source.addEventListener("error", () => {
    if (source.readyState === EventSource.CLOSED) {
      mark("not live", "deny", "The connection has ended. Load the page again; if that does not help, log in again.");
    } else {
      mark("not live", "finding", "The connection was lost and is tried again.");
    }
  });
}

// Told to screen readers now and then, and not row by row.
setInterval(() => {
  if (live.fresh > 0 && Date.now() - live.told > 15000) {
    say(`${live.fresh} new ${live.fresh === 1 ? "event" : "events"}.`);
    live.told = Date.now();
    live.fresh = 0;
  }
}, 5000);

// ---- Copying

async function copied(button) {
  const text = button.parentElement.querySelector("code").textContent.trimEnd();
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    say("Copied.");
  } catch {
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
    button.textContent = "Selected";
    say("It is selected; copy it yourself.");
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

// ---- Keys

function keysWanted() {
  try { return localStorage.getItem("keys") !== "off"; } catch { return true; }
}

function move(by) {
  const links = [...document.querySelectorAll(".events .what a, .steps .told > a, .denial h2 a, .bars .what a, .sandboxes tbody th a")];
  if (links.length === 0) { return; }
  const current = links.findIndex((link) => (link.closest("tr, li, article") || link).contains(document.activeElement));
  const next = current < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(current + by, 0), links.length - 1);
  links[next].focus();
  links[next].scrollIntoView({ block: "nearest" });
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
  const at = event.target;
  if (at.matches("input:not([type=checkbox]), textarea, select, [contenteditable]")) {
    if (event.key === "Escape") { at.blur(); }
    return;
  }
  if (byId("help").open || !keysWanted()) { return; }
  const first = () => document.querySelector("#filter input:not([type=hidden])");
  const acts = {
    j: () => move(1),
    k: () => move(-1),
    ArrowDown: () => at.closest("table, .steps") && move(1),
    ArrowUp: () => at.closest("table, .steps") && move(-1),
    "/": () => {
      const field = first();
      const around = field && field.closest("details");
      if (around) { around.open = true; }
      if (field) { field.focus(); field.select(); }
      return field;
    },
    p: pause,
    "?": () => byId("help").showModal(),
  };
  const act = Object.hasOwn(acts, event.key) && acts[event.key];
  if (!act) { return; }
  if (event.key.startsWith("Arrow") && !at.closest("table, .steps")) { return; }
  event.preventDefault();
  act();
}

// ---- What is there

let again = 0;
function begin() {
  for (const button of document.querySelectorAll(".copy[hidden]")) { button.hidden = false; }
  listen();
  clearTimeout(again);
  const results = byId("results");
  const pause = results && Number(results.dataset.again);
  if (pause) { again = setTimeout(() => load(location.href, false), pause); }
}

document.addEventListener("submit", submitted);
document.addEventListener("keydown", pressed);
document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) { return; }
  if (button.classList.contains("copy")) { copied(button); }
  if (button.id === "pause") { pause(); }
  if (button.id === "help-button") { byId("help").showModal(); }
});
window.addEventListener("popstate", () => location.reload());
window.addEventListener("pageshow", (event) => { if (event.persisted) { location.reload(); } });

byId("help-button").hidden = false;
byId("use-keys").checked = keysWanted();
byId("use-keys").addEventListener("change", (event) => {
  try { localStorage.setItem("keys", event.target.checked ? "on" : "off"); } catch { /* for this page only */ }
});
begin();
if (byId("being-read")) { setTimeout(() => location.reload(), 2000); }
