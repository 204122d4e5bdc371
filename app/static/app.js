// What the page of the app has in its head, as one script: `window.xlmrxl` for Gradio's components and events. It is given
// the addresses of what is fetched when it is wanted: see `app/theme.py`.

import { mountExplorer } from "./attention_explorer.js";
import { copyText, listenForCopying, saveFile } from "./files.js";
import { startHeader } from "./header.js";
import { insertMask } from "./insert_mask.js";
import { mountPanel } from "./panel.js";
import { Permalinks } from "./permalink.js";
import { addPageSettings, mountStatesFiles } from "./states_files.js";
import { showRunning } from "./stop_buttons.js";
import { PageTranslator } from "./translate.js";

const { explorer, plotly, translations, languages } = window.xlmrxlAddresses;
const links = new Permalinks(location.hash.slice(1), (address) => history.replaceState(null, "", `#${address}`));

/** Return the link that opens a tab as it is. @param {string} tab */
function getLink(tab) {
  const page = new URL(location.href);
  page.hash = links.getAddress(tab);
  return page.href;
}

/** Press the button of the tab that the page was opened with, where its address has more than the tab. */
function pressLinkedButton() {
  const tab = links.getPressedTab();
  if (tab === null) return;
  const press = () => {
    const button = document.getElementById(`${tab}-button`);
    if (button) button.click();
    else requestAnimationFrame(press); // a tab is drawn when it is turned to
  };
  press();
}

window.xlmrxl = {
  links,
  getLink,
  pressLinkedButton,
  copyText,
  saveFile,
  showRunning,
  insertMask,
  addPageSettings,
  mountPanel,
  mountStatesFiles,
  mountExplorer,
  loadExplorer: () => import(new URL(explorer, document.baseURI).href),
  loadPlotly: async () => {
    await import(new URL(plotly, document.baseURI).href);
    return window.Plotly;
  },
};

listenForCopying(getLink);
startHeader(new PageTranslator(translations), languages, links.initial.size > 0);
