// Links: what a tab shows stands in the address, and opens it again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { formatAddress, Permalinks } from "../../app/static/permalink.js";

/** Return links of a page that was opened with an address, and what the address became. @param {string} initial */
function open(initial) {
  /** @type {string[]} */
  const addresses = [];
  return { links: new Permalinks(initial, (address) => addresses.push(address)), addresses };
}

test("fields are in the order of their names, and what is optional only where it is not empty", () => {
  assert.equal(formatAddress("fill", ["text", "way", "top_k"], ["", "", 5], ["way"], null), "tab=fill&text=&top_k=5");
  assert.equal(formatAddress("fill", ["text"], ["a & b <mask>"], [], null), "tab=fill&text=a+%26+b+%3Cmask%3E");
  assert.equal(formatAddress("fill", ["text"], [null], [], '{"a":1}'), "tab=fill&text=&state=%7B%22a%22%3A1%7D");
});

test("a tab has its own address", () => {
  const { links, addresses } = open("");
  links.recordFields("fill", ["text"], ["Paris"]);
  links.showTab("classify");
  links.showTab("fill");
  assert.deepEqual(addresses, ["tab=fill&text=Paris", "tab=classify", "tab=fill&text=Paris"]);
});

test("a view stays in the address when the fields change, and goes when it is empty", () => {
  const { links } = open("");
  links.recordFields("attention", ["text"], ["one"]);
  links.recordView("attention", { selected: 3 });
  links.recordFields("attention", ["text"], ["two"]);
  assert.equal(new URLSearchParams(links.getAddress("attention")).get("state"), '{"selected":3}');
  assert.equal(new URLSearchParams(links.getAddress("attention")).get("text"), "two");
  links.recordView("attention", {});
  assert.equal(links.getAddress("attention"), "tab=attention&text=two");
});

test("what the page was opened with is kept for its own tab only", () => {
  const { links } = open('tab=states&text=hello&state={"state":4}');
  assert.deepEqual(links.readView("states"), { state: 4 });
  assert.equal(links.readView("attention"), null);
  links.recordFields("states", ["text"], ["hello"]);
  assert.equal(new URLSearchParams(links.getAddress("states")).get("state"), '{"state":4}');
});

test("an address that anybody wrote breaks nothing", () => {
  for (const address of ["tab=states&state={", "tab=states", "state=1", "&&&", "tab=states&state="]) {
    assert.equal(open(address).links.readView("states"), null);
  }
});

test("a button is pressed only where the address has more than the tab", () => {
  assert.equal(open("").links.getPressedTab(), null);
  assert.equal(open("tab=fill").links.getPressedTab(), null);
  assert.equal(open("tab=fill&text=a").links.getPressedTab(), "fill");
  assert.equal(open("tab=classify&by=teach").links.getPressedTab(), "teach");
});
