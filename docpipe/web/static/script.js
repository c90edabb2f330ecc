"use strict";
// All pages can be read without this file. It refreshes the overview, brings more pages of a document, ticks all, asks before a deletion, and takes drops.
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
const leaves = document.querySelector(".leaves");
if (leaves) {
  const watched = new IntersectionObserver(seen => {
    for (const { isIntersecting, target } of seen) if (isIntersecting) bring(target);
  }, { root: leaves, rootMargin: "400px" });
  const watch = () => { for (const link of leaves.querySelectorAll("[data-more]")) watched.observe(link); };
  const bring = async link => {
    watched.unobserve(link);
    const answer = await fetch(link.href).catch(() => null);
    if (!answer || !answer.ok) return;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".leaves");
    if (found) link.parentElement.replaceWith(...found.children);
    watch();
  };
  watch();
}
