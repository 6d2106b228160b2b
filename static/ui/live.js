// Keeps an element with data-live="URL" as fresh as its server: asks again every few seconds and changes only
// what differs, so that focus, open details and the reader's place stay. Without it the page reloads itself.
"use strict";

(() => {
  const area = document.querySelector("[data-live]");
  if (!area) return;
  const lost = document.getElementById("lost");
  const announce = document.getElementById("announce");
  const pause = Number(area.dataset.liveSeconds || 5) * 1000;
  const url = new URL(area.dataset.live, location.href);

  const headline = () => (area.querySelector("[data-headline]") || {}).textContent || "";

  function attributes(now, next) {
    for (const { name } of [...now.attributes]) {
      if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
    }
    for (const { name, value } of [...next.attributes]) {
      if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
  }

  function children(now, next) {
    const wanted = [...next.childNodes];
    wanted.forEach((node, index) => {
      const present = now.childNodes[index];
      if (!present) now.append(document.importNode(node, true));
      else if (present.nodeType !== node.nodeType || present.nodeName !== node.nodeName) {
        present.replaceWith(document.importNode(node, true));
      } else if (node.nodeType === Node.ELEMENT_NODE) {
        attributes(present, node);
        children(present, node);
      } else if (present.nodeValue !== node.nodeValue) present.nodeValue = node.nodeValue;
    });
    while (now.childNodes.length > wanted.length) now.lastChild.remove();
  }

  async function refresh() {
    if (document.hidden) return;
    const before = headline();
    const answer = await fetch(url, { cache: "no-store", redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    children(area, fresh.body);
    if (announce && headline() !== before) announce.textContent = headline();
  }

  async function run() {
    try {
      await refresh();
      if (lost) lost.hidden = true;
    } catch {
      if (lost) lost.hidden = false;
    }
    if (!area.querySelector("[data-final]")) setTimeout(run, pause);
  }

  document.addEventListener("visibilitychange", () => refresh().catch(() => {}));
  setTimeout(run, pause);
})();
