"use strict";
// What pages can do besides: times in the zone of whoever looks, questions before what cannot be
// taken back, keys. Without it every page still works.
const long = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "medium" });
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;

function localTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]:not([data-local])")) {
    const moment = new Date(element.dateTime);
    if (Number.isNaN(moment.getTime())) continue;
    element.title = `${element.textContent} · ${zone}`;
    element.textContent = long.format(moment);
    element.dataset.local = "";
  }
}

document.addEventListener("DOMContentLoaded", () => localTimes(document));
document.addEventListener("htmx:load", (event) => localTimes(event.detail.elt));

document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
    event.stopImmediatePropagation();
  }
}, true);

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
    const search = document.getElementById("search");
    if (search) {
      event.preventDefault();
      search.focus();
      search.select();
    }
  }
  if (event.key === "Escape") {
    for (const open of document.querySelectorAll("details.menu[open]")) open.open = false;
  }
});

document.addEventListener("click", (event) => {
  for (const open of document.querySelectorAll("details.menu[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

// Tick all of a list.
document.addEventListener("htmx:load", showTicks);
document.addEventListener("DOMContentLoaded", showTicks);
function showTicks() {
  for (const all of document.querySelectorAll("input[data-ticks][hidden]")) all.hidden = false;
}
document.addEventListener("change", (event) => {
  const list = event.target.dataset.ticks;
  if (!list) return;
  for (const each of document.querySelectorAll(`input[data-of="${CSS.escape(list)}"]`)) each.checked = event.target.checked;
});

// Live pages: one line to the server while the page is seen. What was missed is asked for again.
const signals = ["now", "dead", "jobs", "orders"];
class Line extends EventTarget {
  constructor(address) {
    super();
    this.address = address;
    this.source = null;
    this.wait = 1000;
    this.missed = false;
    this.ended = false;
    document.addEventListener("visibilitychange", this);
    this.connect();
  }

  get readyState() {
    return this.source ? this.source.readyState : EventSource.CONNECTING;
  }

  handleEvent() {
    if (document.hidden) this.disconnect();
    else this.connect();
  }

  connect() {
    if (this.source || this.ended || document.hidden) return;
    const source = new EventSource(this.address);
    this.source = source;
    source.onopen = () => {
      this.wait = 1000;
      if (this.missed) askAgain();
      this.missed = false;
      if (this.onopen) this.onopen();
    };
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED || this.source !== source) return;
      this.disconnect();
      window.setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(this.wait * 2, 60000);
    };
    for (const name of signals) {
      source.addEventListener(name, (event) => this.dispatchEvent(new MessageEvent(name, { data: event.data })));
    }
  }

  disconnect() {
    if (this.source) this.source.close();
    this.source = null;
    this.missed = true;
  }

  close() {
    this.ended = true;
    this.disconnect();
    document.removeEventListener("visibilitychange", this);
  }
}
if (window.htmx) htmx.createEventSource = (address) => new Line(address);

function askAgain() {
  for (const part of document.querySelectorAll("[hx-trigger*='sse:']")) {
    htmx.trigger(part, /sse:[a-z]+/.exec(part.getAttribute("hx-trigger"))[0]);
  }
}

document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden && event.target.matches("[hx-trigger*='sse:']")) event.preventDefault();
});
