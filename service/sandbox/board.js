"use strict";

const PERIOD = 400;
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
let revision = null;

/** An element with classes and children; text only ever becomes a text node. */
function make(tag, classes, ...children) {
  const element = document.createElement(tag);
  if (classes) element.className = classes;
  element.append(...children.map(plain));
  return element;
}

function plain(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}

function clock(moment) {
  return new Date(moment).toLocaleTimeString([], { hour12: false });
}

function card(order, story) {
  const bars = ["payment", "fulfillment", "delivery"].map((lane) => {
    const bar = make("i", `bar ${lane}${order.lanes[lane] ? " on" : ""}`);
    bar.title = `${lane}: ${order.lanes[lane] || "nothing known"}`;
    return bar;
  });
  const item = make(
    "li",
    order.subject === story ? "card starred" : "card",
    make("p", "", make("b", "", order.ref), make("span", "", `v${order.version}`)),
    make("p", "facts", order.facts.join(" · ") || clock(order.at)),
    make("div", "bars", ...bars),
  );
  item.dataset.subject = order.subject;
  item.title = order.subject;
  return item;
}

function column(data, story) {
  const section = make(
    "section",
    data.total ? "column" : "column bare",
    make("h2", "", make("span", "", data.title), make("span", "", data.total)),
    make("ul", "", ...data.cards.map((order) => card(order, story))),
  );
  if (data.total > data.cards.length) section.append(make("p", "more", "newest first"));
  return section;
}

function call(data) {
  const version = data.version === null ? "" : `v${data.version}`;
  const answer = data.http_status === null ? "no answer" : data.http_status;
  return make(
    "li",
    "",
    make("time", "", clock(data.at)),
    make("span", "", data.subject || "unknown"),
    make("span", "", data.title),
    make("span", "version", version),
    make("span", `effect ${data.effect}`, `${data.effect} (${answer})`),
  );
}

function places() {
  const cards = document.querySelectorAll(".card");
  return new Map([...cards].map((one) => [one.dataset.subject, one.getBoundingClientRect()]));
}

/** Let every card that was on the board glide from where it was; new ones fade in. */
function glide(before) {
  if (calm.matches) return;
  for (const one of document.querySelectorAll(".card")) {
    const old = before.get(one.dataset.subject);
    const now = one.getBoundingClientRect();
    if (!old) {
      one.animate([{ opacity: 0 }, { opacity: 1 }], 250);
    } else if (old.left !== now.left || old.top !== now.top) {
      const from = `translate(${old.left - now.left}px, ${old.top - now.top}px)`;
      one.animate([{ transform: from }, { transform: "none" }], { duration: 300, easing: "ease-out" });
    }
  }
}

function show(view) {
  for (const cell of document.querySelectorAll("[data-count]")) {
    const count = view.counts[cell.dataset.count];
    cell.textContent = count.toLocaleString("en");
    cell.parentElement.classList.toggle("alarm", "alarm" in cell.parentElement.dataset && count > 0);
  }
  const before = places();
  const story = view.story && view.story.subject;
  const columns = view.columns.map((data) => column(data, story));
  document.getElementById("columns").replaceChildren(...columns);
  if (before.size) glide(before);
  if (view.story) {
    document.getElementById("story-title").textContent = `The story of ${view.story.subject}`;
    const steps = view.story.steps.map((step) =>
      make("li", "", make("b", "", step.title), make("time", "", clock(step.at))),
    );
    document.getElementById("story").replaceChildren(...steps);
  }
  document.getElementById("calls").replaceChildren(...view.calls.map(call));
}

function state(word, text) {
  const badge = document.getElementById("state");
  if (badge.textContent === text) return;
  badge.className = `state ${word}`;
  badge.textContent = text;
}

async function refresh() {
  try {
    const since = revision === null ? "" : `?since=${revision}`;
    const answer = await fetch(`/board.json${since}`, { signal: AbortSignal.timeout(5000) });
    if (answer.status === 200) {
      const view = await answer.json();
      revision = view.revision;
      show(view);
    }
    state("live", "live");
  } catch {
    state("lost", "the CRM does not answer");
  }
  window.setTimeout(refresh, PERIOD);
}

refresh();
