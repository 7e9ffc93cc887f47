// Shows what has changed, as long as a change to a newsletter is under way.
"use strict";

const EVERY = 3000, MOST = 40;
let times = 0;

async function update() {
  const list = document.getElementById("basket-newsletters");
  if (!list || !("basketUnderWay" in list.dataset) || (times += 1) > MOST) {
    return;
  }
  try {
    const answer = await fetch(location.href, { credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.getElementById("basket-newsletters");
    if (answer.ok && now) {
      for (const item of now.children) {
        show(list.querySelector(`[data-basket-newsletter="${item.dataset.basketNewsletter}"]`), item);
      }
      const notices = document.getElementById("basket-notices");
      const noticesNow = page.getElementById("basket-notices");
      if (notices && noticesNow && notices.textContent !== noticesNow.textContent) {
        notices.replaceChildren(...noticesNow.childNodes);
      }
      if (!("basketUnderWay" in now.dataset)) {
        delete list.dataset.basketUnderWay;
      }
    }
  } catch {
    // The site is away for a moment.
  }
  setTimeout(update, EVERY);
}

function show(before, now) {
  if (!before || before.dataset.basketState === now.dataset.basketState) {
    return;
  }
  const hadFocus = before.contains(document.activeElement);
  before.dataset.basketState = now.dataset.basketState;
  before.replaceChildren(...now.childNodes);
  if (hadFocus) {
    before.querySelector("h2").focus();
  }
}

setTimeout(update, EVERY);
