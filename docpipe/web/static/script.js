"use strict";
// All pages can be read without this file. It refreshes the overview, ticks all, asks before a deletion, and takes drops.
const live = document.querySelector("[data-live]");
if (live) {
  const source = new EventSource(live.dataset.live);
  source.addEventListener("overview", event => {
    if (!live.contains(document.activeElement) && !String(getSelection())) live.innerHTML = event.data;
  });
  addEventListener("pagehide", () => source.close());
}
for (const all of document.querySelectorAll("[data-all]")) {
  all.addEventListener("change", () => {
    for (const each of all.form.querySelectorAll("[name=document]")) each.checked = all.checked;
  });
}
for (const button of document.querySelectorAll("[data-sure]")) {
  button.addEventListener("click", event => { if (!confirm(button.dataset.sure)) event.preventDefault(); });
}
for (const form of document.querySelectorAll("[data-drop]")) {
  const input = form.querySelector("[type=file]");
  for (const name of ["dragover", "dragleave", "drop"]) {
    form.addEventListener(name, event => { event.preventDefault(); form.classList.toggle("over", name === "dragover"); });
  }
  form.addEventListener("drop", event => { input.files = event.dataTransfer.files; });
}
