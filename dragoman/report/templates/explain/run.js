// Starts every section that the page has.

startRibbon();
startJourney();
startTokens();
startEmbeddings();
startPositions();
document.querySelectorAll("[data-attention]").forEach((box) => startAttention(box));
if (byId("lens")) startLens();
if (byId("next")) startNext();
if (byId("masked")) startMasked();
document.documentElement.dataset.ready = "true";
