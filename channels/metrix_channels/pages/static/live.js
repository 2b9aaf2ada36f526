// Updates the page: when the server reports a change, this script fetches the page again and replaces its live parts.
"use strict";

const parts = () => document.querySelectorAll("[data-live]");
let busy = false;
let again = false;

function replace(part, fresh) {
  const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
  const open = new Set([...part.querySelectorAll("details[open][id]")].map((details) => details.id));
  part.innerHTML = fresh.innerHTML;
  for (const id of open) {
    const details = document.getElementById(id);
    if (details) details.open = true;
  }
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const response = await fetch(location.href, { headers: { accept: "text/html" } });
    if (response.ok) {
      const fresh = new DOMParser().parseFromString(await response.text(), "text/html");
      for (const part of parts()) {
        const next = fresh.getElementById(part.id);
        if (next && next.innerHTML !== part.innerHTML) replace(part, next);
      }
      document.title = fresh.title;
      document.body.dataset.version = fresh.body.dataset.version;
    }
  } catch {
    // The server is unavailable: the browser connects again below, and the next event refreshes the page.
  }
  busy = false;
  if (again) {
    again = false;
    refresh();
  }
}

if (document.body.dataset.changes) {
  const source = new EventSource(document.body.dataset.changes);
  source.onmessage = (event) => {
    if (event.data !== document.body.dataset.version) refresh();
  };
  source.onerror = () => document.body.classList.add("away");
  source.onopen = () => document.body.classList.remove("away");
}

// A form with a question asks for confirmation first.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.question;
  if (question && !confirm(question)) event.preventDefault();
});
