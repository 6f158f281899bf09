// Runs before anything is drawn, so that a page somebody wants dark never flashes up light.
"use strict";

(() => {
  let kept = null;
  try {
    kept = localStorage.getItem("dragoman.theme");
  } catch {
    // a browser that keeps nothing follows the system
  }
  if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
})();
