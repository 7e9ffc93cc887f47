// Keeps the overview up to date. A part that holds the focus, or an open table, is left as it is.
"use strict";

const EVERY = 10000, SLOWEST = 60000;
let pause = EVERY;

async function update() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (answer.redirected || answer.status === 403) {
        return;
      }
      if (!answer.ok) {
        throw new Error("no answer");
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll("[data-basket-live]")) {
        const fresh = page.getElementById(part.id);
        const isInUse = part.contains(document.activeElement) || part.querySelector("details[open]");
        if (fresh && !isInUse && fresh.innerHTML !== part.innerHTML) {
          part.replaceChildren(...document.importNode(fresh, true).childNodes);
        }
      }
      pause = EVERY;
    } catch {
      pause = Math.min(pause * 2, SLOWEST);
    }
  }
  setTimeout(update, pause);
}

setTimeout(update, EVERY);
