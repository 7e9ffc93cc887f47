// Keeps the numbers on a bulk request's page up to date, until the request is over.
"use strict";

(function () {
  const EVERY = 2000;
  const SLOWEST = 30000;

  const section = document.getElementById("basket-progress");
  if (!section || !section.dataset.url) {
    return;
  }

  function part(name) {
    return document.querySelector('[data-basket="' + name + '"]');
  }

  function write(element, text) {
    if (element && element.textContent !== text) {
      element.textContent = text;
    }
  }

  let pause = EVERY;
  let spokenTenth = -1;
  let spokenState = null;

  // A screen reader hears every tenth and every change of state, not every number.
  function speak(data) {
    const tenth = Math.floor(data.percent / 10);
    if (tenth !== spokenTenth || data.state !== spokenState) {
      if (spokenState !== null) {
        write(part("spoken"), data.sentence);
      }
      spokenTenth = tenth;
      spokenState = data.state;
    }
  }

  function show(data) {
    part("bar").value = data.percent;
    write(part("percent"), String(data.percent));
    for (const name of ["state", "sentence", "pace", "busy"]) {
      write(part(name), data[name]);
    }
    for (const name of Object.keys(data.numbers)) {
      write(document.querySelector('[data-basket-number="' + name + '"]'), data.numbers[name]);
    }
    speak(data);
    toggle("cancel", data.mayCancel);
    toggle("retry", data.mayRetry);
  }

  function toggle(name, shown) {
    const form = part(name);
    if (!form || form.hidden !== shown) {
      return;
    }
    const focused = form.contains(document.activeElement);
    form.hidden = !shown;
    if (focused && !shown) {
      document.getElementById("basket-failures").focus();
    }
  }

  // The list comes from the page itself, with the page of it that the address names; in the end
  // with the reasons of what was skipped.
  async function showFailures(count, over) {
    const old = document.getElementById("basket-failures");
    if (String(count) === old.dataset.count && !over) {
      return;
    }
    if (old !== document.activeElement && old.contains(document.activeElement)) {
      return;
    }
    const answer = await fetch(window.location.href, { credentials: "same-origin" });
    if (!answer.ok) {
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("basket-failures");
    if (fresh) {
      const focused = old === document.activeElement;
      old.replaceWith(document.importNode(fresh, true));
      if (focused) {
        document.getElementById("basket-failures").focus();
      }
    }
  }

  async function look() {
    if (document.hidden) {
      return true;
    }
    const answer = await fetch(section.dataset.url, {
      credentials: "same-origin",
      headers: { Accept: "application/json" },
    });
    if (answer.redirected || answer.status === 403 || answer.status === 404) {
      write(part("pace"), section.dataset.lost);
      write(part("spoken"), section.dataset.lost);
      return false;
    }
    if (!answer.ok) {
      throw new Error("no answer");
    }
    const data = await answer.json();
    show(data);
    await showFailures(data.failed, data.over);
    return !data.over;
  }

  async function round() {
    let again = true;
    try {
      again = await look();
      pause = EVERY;
    } catch {
      pause = Math.min(pause * 2, SLOWEST);
      write(part("pace"), section.dataset.lost);
    }
    if (again) {
      window.setTimeout(round, pause);
    }
  }

  window.setTimeout(round, EVERY);
})();
