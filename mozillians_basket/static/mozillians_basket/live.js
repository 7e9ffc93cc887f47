// Keeps the parts of a page up to date (data-basket-live), until a fresh copy of the page does not
// say any more after how many milliseconds to look again (data-basket-every). A part that holds the
// focus, or an open table, is left as it is, and so is one whose version (the value of
// data-basket-live) is the same.
"use strict";

const EVERY = Number(document.querySelector("[data-basket-every]").dataset.basketEvery);
const SLOWEST = 60000;
let pause = EVERY;

function version(part) {
  return part.dataset.basketLive || part.innerHTML;
}

function show(page) {
  const focused = document.activeElement;
  for (const part of document.querySelectorAll("[data-basket-live]")) {
    const fresh = page.getElementById(part.id);
    const isFocused = part !== focused && part.contains(focused);
    if (!fresh || isFocused || part.querySelector("details[open]")) {
      continue;
    }
    if (version(fresh) !== version(part)) {
      Object.assign(part.dataset, fresh.dataset);
      part.replaceChildren(...document.importNode(fresh, true).childNodes);
      say(part);
    }
  }
}

// Screen readers hear what is written later, not what was on the page when it was opened.
function say(part, isSaid = true) {
  if (part && "basketSaid" in part.dataset) {
    part.textContent = isSaid ? part.dataset.basketSaid : "";
  }
}

async function update() {
  const lost = document.getElementById("basket-lost");
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (answer.redirected || answer.status === 403 || answer.status === 404) {
        say(lost);
        return;
      }
      if (!answer.ok) {
        throw new Error("no answer");
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      show(page);
      say(lost, false);
      if (!page.querySelector("[data-basket-every]")) {
        return;
      }
      pause = EVERY;
    } catch {
      say(lost);
      pause = Math.min(pause * 2, SLOWEST);
    }
  }
  setTimeout(update, pause);
}

setTimeout(update, EVERY);
