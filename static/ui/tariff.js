// Recomputes the worked example of the tariff editor while a person types: sends the form as it is and takes the
// answer as the new preview. Without it the Preview button does the same with a new page.
"use strict";

(() => {
  const form = document.querySelector("form[data-preview]");
  const preview = document.getElementById("preview");
  if (!form || !preview) return;
  const lost = document.getElementById("lost");
  const announce = document.getElementById("announce");
  const PAUSE_MS = 350;
  let timer;
  let running;

  const openTexts = () => [...preview.querySelectorAll("details[open] > summary")].map((s) => s.textContent);
  const headline = () => (preview.querySelector("[data-headline]") || {}).textContent || "";

  async function recompute() {
    if (running) running.abort();
    running = new AbortController();
    const data = new FormData(form);
    data.set("action", "preview");
    data.set("part", "preview");
    try {
      const answer = await fetch(location.pathname, { method: "POST", body: data, signal: running.signal, redirect: "error" });
      if (!answer.ok) throw new Error(String(answer.status));
      show(new DOMParser().parseFromString(await answer.text(), "text/html").body);
      if (lost) lost.hidden = true;
    } catch (error) {
      if (lost && error.name !== "AbortError") lost.hidden = false;
    }
  }

  function show(fresh) {
    const opened = openTexts();
    const before = headline();
    const hadTexts = preview.querySelector("details") !== null;
    preview.replaceChildren(...[...fresh.childNodes].map((node) => document.importNode(node, true)));
    if (hadTexts) {
      for (const each of preview.querySelectorAll("details")) {
        each.open = opened.includes(each.querySelector("summary").textContent);
      }
    }
    if (announce && headline() && headline() !== before) announce.textContent = headline();
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(recompute, PAUSE_MS);
  });
})();
