// The texts of the interface in another language: what matches a key, and what is put into its translation.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { Catalogue, compilePattern, isolateLatin, matchPattern } from "../../app/static/catalogue.js";

const TEXTS = {
  Fill: "Remplir",
  "Fills for each mask": "Propositions par masque",
  "{#} tokens": "{} tokens",
  "mask {0}: {1}, {2}": "masque {0} : {1}, {2}",
  "{0} and {1}": "{1} et {0}",
  "Try again.": "Réessayez.",
  "That failed.": "Cela a échoué.",
  "Making {} …": "{0!} en cours …",
};
const french = new Catalogue("fr", TEXTS);

/** @param {string} key @param {string} text */
const match = (key, text) => matchPattern(text, compilePattern(key, ""));

test("places take what stands there", () => {
  assert.deepEqual(match("{} of {}", "a"), null);
  assert.deepEqual(match("mask {0}: {1}, {2}", "mask 1: Paris, 40.2%"), ["1", "Paris", "40.2%"]);
  assert.deepEqual(match("{1} before {0}", "a before b"), ["b", "a"]);
  assert.equal(match("L{} H{}", "L3 H"), null, "no place is empty");
});

test("a place for counts takes digits and no words", () => {
  assert.deepEqual(match("{#} tokens", "1,024 tokens"), ["1,024"]);
  assert.equal(match("{#} tokens", "many tokens"), null);
  assert.equal(match("{#} tokens", "all 3 tokens"), null);
});

test("matching takes one pass, whatever the text", () => {
  const begun = match("a{}a{}a{}a{}b", "a".repeat(2_000));
  assert.equal(begun, null);
});

test("a text is translated as a whole, by a pattern or sentence by sentence", () => {
  assert.equal(french.translate("Fill"), "Remplir");
  assert.equal(french.translate("12 tokens"), "12 tokens");
  assert.equal(french.translate("cats and dogs"), "dogs et cats");
  assert.equal(french.translate("That failed. Try again."), "Cela a échoué. Réessayez.");
  assert.equal(french.translate("That failed. Who knows."), "That failed. Who knows.");
});

test("what is around a text stays, and spaces in it count once", () => {
  assert.equal(french.translate("\n  Fill "), "\n  Remplir ");
  assert.equal(french.translate("Fills for\n   each mask"), "Propositions par masque");
});

test("what is no text of the interface stays", () => {
  for (const text of ["Paris", "", "  ", "…", "Fill ".repeat(500)]) assert.equal(french.translate(text), text);
});

test("a place may hold a text of the interface", () => {
  assert.equal(french.translate("Making Fill …"), "Remplir en cours …");
});

test("the key that says most is meant", () => {
  const catalogue = new Catalogue("fr", { "{} of {}": "{} sur {}", "Layer {} of {}": "Couche {} sur {}" });
  assert.equal(catalogue.patterns[0].length, "Layer  of ".length);
});

test("from right to left, Latin and what was put in keep their order", () => {
  const arabic = new Catalogue("ar", { "{} heads": "رؤوس {}", Mask: "قناع <mask>" });
  assert.equal(arabic.translate("3 heads"), "رؤوس \u20683\u2069");
  assert.equal(arabic.translate("Mask"), "قناع \u2066<mask>\u2069");
  assert.equal(arabic.translate(" → "), " ← ");
  assert.equal(isolateLatin("−0.3"), "\u2066−0.3\u2069");
  assert.equal(isolateLatin("a"), "a");
});

test("Chinese sentences follow each other without a space", () => {
  const chinese = new Catalogue("zh", { "One.": "一。", "Two.": "二。" });
  assert.equal(chinese.translate("One. Two."), "一。二。");
});

test("every text of every catalogue is found by its key", () => {
  const folder = "../app/translations";
  for (const name of readdirSync(folder)) {
    const texts = JSON.parse(readFileSync(`${folder}/${name}`, "utf8"));
    const catalogue = new Catalogue(name.slice(0, 2), texts);
    assert.equal(catalogue.texts.size + catalogue.patterns.length, Object.keys(texts).length);
    for (const [key, text] of catalogue.texts) assert.equal(catalogue.translate(key), text);
  }
});
