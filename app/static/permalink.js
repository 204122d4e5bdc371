// The address of the page says what is shown, so that a link opens it again. What a tab shows stands behind the #, which
// browsers send to nobody; `app/links.py` reads it when the page is opened.

/**
 * The part of an address behind the # for a tab that shows some values.
 *
 * @param {string} tab
 * @param {string[]} names of the fields, in the order of `values`
 * @param {unknown[]} values
 * @param {string[]} optional names of the fields that are left out where they are empty
 * @param {string | null} view the setting of a view, which stays as it is
 */
export function formatAddress(tab, names, values, optional, view) {
  const address = new URLSearchParams({ tab });
  names.forEach((name, place) => {
    if (values[place] || !optional.includes(name)) address.set(name, String(values[place] ?? ""));
  });
  if (view !== null) address.set("state", view);
  return address.toString();
}

/** What each tab shows, as addresses; `replace` is given the address to show. */
export class Permalinks {
  /**
   * @param {string} initial the part behind the # that the page was opened with
   * @param {(address: string) => void} replace
   */
  constructor(initial, replace) {
    this.initial = new URLSearchParams(initial);
    this.replace = replace;
    /** @type {Map<string, string>} by tab, the address that opens it again */
    this.addresses = new Map();
  }

  /** Return whether the page was opened with this tab. @param {string} tab */
  isInitialTab(tab) {
    return this.initial.get("tab") === tab;
  }

  /** @param {string} tab */
  #current(tab) {
    return new URLSearchParams(this.addresses.get(tab) ?? (this.isInitialTab(tab) ? this.initial : { tab }));
  }

  /** @param {string} tab @param {string} address */
  #set(tab, address) {
    this.addresses.set(tab, address);
    this.showTab(tab);
  }

  /** Show the address of a tab that a person turned to. @param {string} tab */
  showTab(tab) {
    this.replace(this.getAddress(tab));
  }

  /** Return the part of the address behind the # that opens a tab as it is. @param {string} tab */
  getAddress(tab) {
    return this.addresses.get(tab) ?? new URLSearchParams({ tab }).toString();
  }

  /**
   * Record that a tab shows these values; what a view has added to its address stays. See `formatAddress`.
   *
   * @param {string} tab
   * @param {string[]} names
   * @param {unknown[]} values
   * @param {string[]} optional
   */
  recordFields(tab, names, values, optional = []) {
    this.#set(tab, formatAddress(tab, names, values, optional, this.#current(tab).get("state")));
  }

  /**
   * Record what a person has set a view to, beside the fields of its tab: `readView` gives it back.
   *
   * @param {string} tab
   * @param {object} view left out where it is empty
   */
  recordView(tab, view) {
    const address = this.#current(tab);
    if (Object.keys(view).length) address.set("state", JSON.stringify(view));
    else address.delete("state");
    this.#set(tab, address.toString());
  }

  /**
   * Return what a view was set to by the address that the page was opened with, or null. Anybody may have written it.
   *
   * @param {string} tab
   * @returns {unknown}
   */
  readView(tab) {
    try {
      return this.isInitialTab(tab) ? JSON.parse(this.initial.get("state") ?? "null") : null;
    } catch {
      return null;
    }
  }

  /** Return the tab whose button the link presses, or null where the address has no more than the tab. */
  getPressedTab() {
    if (this.initial.size < 2) return null;
    return this.initial.get("by") === "teach" ? "teach" : this.initial.get("tab"); // classifying has two ways
  }
}
