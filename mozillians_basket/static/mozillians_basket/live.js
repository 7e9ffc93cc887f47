// Keeps the parts of a page up to date (data-basket-live), until a fresh copy of the page does not
// say any more after how many milliseconds to look again (data-basket-every), or the page was looked
// at so many times (data-basket-times). A part that holds the focus, or an open table, is left as it
// is, and so is one whose version (the value of data-basket-live) is the same.
"use strict";

const SETTINGS = document.querySelector("[data-basket-every]")?.dataset;
const EVERY = Number(SETTINGS?.basketEvery);
const SLOWEST = 60000;
let pause = EVERY, times = Number(SETTINGS?.basketTimes || Infinity);

function version(part) {
  return part.dataset.basketLive || part.innerHTML;
}

// Returns whether a part is not up to date, as somebody is in it.
function show(page) {
  const focused = document.activeElement;
  let isBehind = false;
  for (const part of document.querySelectorAll("[data-basket-live]")) {
    const fresh = page.getElementById(part.id);
    if (!fresh || version(fresh) === version(part)) {
      continue;
    }
    if ((part !== focused && part.contains(focused)) || part.querySelector("details[open]")) {
      isBehind = true;
      continue;
    }
    Object.assign(part.dataset, fresh.dataset);
    part.replaceChildren(...document.importNode(fresh, true).childNodes);
    say(part);
  }
  return isBehind;
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
    times -= 1;
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
      const isBehind = show(page);
      say(lost, false);
      if (!isBehind && !page.querySelector("[data-basket-every]")) {
        return;
      }
      pause = EVERY;
    } catch {
      say(lost);
      pause = Math.min(pause * 2, SLOWEST);
    }
  }
  if (times > 0) {
    setTimeout(update, pause);
  }
}

if (SETTINGS) {
  setTimeout(update, EVERY);
}
