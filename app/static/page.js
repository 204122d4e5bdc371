// Once for each page, in its head: the address that says what is shown, the clipboard, and files to keep.
{
  const begun = new URLSearchParams(location.hash.slice(1)); // the address that the page was opened with
  const shown = {}; // by tab, the address that opens it again
  const running = {}; // by the id of a stop button, the events that it is there for, and where the focus was

  function told(tab) {
    history.replaceState(null, "", `#${shown[tab] ?? new URLSearchParams({ tab })}`);
  }

  /** Copies where it is allowed, as it is not on an unencrypted page of another machine: there by the old way. */
  async function copy(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const box = document.createElement("textarea");
      box.value = text;
      box.setAttribute("readonly", "");
      document.body.append(box);
      box.select();
      const done = document.execCommand("copy");
      box.remove();
      if (!done) throw new Error("This browser does not let the page copy: select the text and copy it by hand.");
    }
  }

  window.xlmrxl = {
    copy,
    begun: begun.toString(),

    /** A tab shows these values, in the order of these names, of which `bare` are left out where they are empty; what a
     * view added to its address stays. */
    record(tab, names, values, bare = []) {
      const before = new URLSearchParams(shown[tab] ?? (begun.get("tab") === tab ? begun : ""));
      const address = new URLSearchParams({ tab });
      names.forEach((name, place) => {
        if (values[place] || !bare.includes(name)) address.set(name, values[place] ?? "");
      });
      if (before.has("state")) address.set("state", before.get("state"));
      shown[tab] = address.toString();
      told(tab);
    },

    /** What a view has been set to, by a person, beside the fields of its tab; given back by `view`. Left out where it is empty. */
    recordView(tab, view) {
      const address = new URLSearchParams(shown[tab] ?? (begun.get("tab") === tab ? begun : { tab }));
      if (Object.keys(view).length) address.set("state", JSON.stringify(view));
      else address.delete("state");
      shown[tab] = address.toString();
      told(tab);
    },

    /** What a view was set to by the address that the page was opened with, or null. */
    view(tab) {
      try {
        return begun.get("tab") === tab ? JSON.parse(begun.get("state")) : null;
      } catch {
        return null;
      }
    },

    /** A person turned to a tab. */
    turn: told,

    /** The link that opens a tab as it is. */
    link(tab) {
      const page = new URL(location.href);
      page.hash = shown[tab] ?? `tab=${tab}`;
      return page.href;
    },

    /** Presses the button of the tab that the page was opened with, where its address has more than the tab. */
    run() {
      if (begun.size < 2) return;
      const name = begun.get("by") === "teach" ? "teach" : begun.get("tab"); // classifying has two ways
      const press = () => {
        const button = document.querySelector(`#${CSS.escape(name)}-button`);
        if (button) button.click();
        else requestAnimationFrame(press); // a tab is drawn when it is turned to
      };
      press();
    },

    /** An event begins or has ended: its stop button is seen as long as something runs, see `app/stopping.py`. */
    runs(id, event, on) {
      const { events, focus } = (running[id] ??= { events: new Set(), focus: null });
      if (on && !events.size) running[id].focus = document.activeElement;
      events[on ? "add" : "delete"](event);
      const button = document.getElementById(id);
      if (!button) return;
      const left = !events.size && document.activeElement === button;
      button.toggleAttribute("data-running", events.size > 0);
      if (left && focus?.isConnected) focus.focus();
    },

    /** A file for the person to keep. */
    keep(blob, name) {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(blob);
      link.download = name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    },
  };

  // The buttons under every result: see `render.actions_html`.
  document.addEventListener("click", async (event) => {
    const button = event.target.closest ? event.target.closest(".x-actions [data-copy], .x-actions [data-link]") : null;
    if (!button) return;
    const status = button.closest(".x-actions").querySelector("[role=status]");
    const { copy: text, link: tab, said } = button.dataset;
    try {
      await copy(text ?? window.xlmrxl.link(tab));
      status.textContent = said;
    } catch (error) {
      status.textContent = error.message;
    }
  });
}
