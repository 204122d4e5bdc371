// What the scripts of the app compute: masks in a text, arrow keys in a group, the language, the state of a slider.

import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseLanguage } from "../../app/static/header.js";
import { replaceByMask } from "../../app/static/insert_mask.js";
import { fixSliderStep } from "../../app/static/states_files.js";
import { movePlace } from "../../xlmrxl/rendering/interaction.js";

test("a mask takes the place of what is selected, whose spaces stay", () => {
  assert.deepEqual(replaceByMask("a cat sat", 2, 5), { text: "a <mask> sat", caret: 8 });
  assert.deepEqual(replaceByMask("a cat sat", 1, 6), { text: "a <mask> sat", caret: 8 });
  assert.deepEqual(replaceByMask("ab", 1, 1), { text: "a<mask>b", caret: 7 });
  assert.deepEqual(replaceByMask("a  b", 1, 3), { text: "a  <mask>b", caret: 9 });
  assert.deepEqual(replaceByMask("", 0, 0), { text: "<mask>", caret: 6 });
});

test("arrow keys move in the direction of the text", () => {
  assert.equal(movePlace("ArrowRight", 0, 3, false), 1);
  assert.equal(movePlace("ArrowRight", 1, 3, true), 0);
  assert.equal(movePlace("ArrowDown", 1, 3, true), 2);
  assert.equal(movePlace("End", 0, 3, false), 2);
  assert.equal(movePlace("Home", 2, 3, false), 0);
});

test("arrow keys end at the ends, and other keys move nothing", () => {
  assert.equal(movePlace("ArrowLeft", 0, 3, false), undefined);
  assert.equal(movePlace("ArrowRight", 2, 3, false), undefined);
  assert.equal(movePlace("Home", -1, 3, false), undefined, "the focus is elsewhere");
  for (const key of ["Tab", "a", "constructor"]) assert.equal(movePlace(key, 0, 3, false), undefined);
});

test("the first language that there is, is chosen", () => {
  const languages = ["en", "zh", "fr"];
  assert.equal(chooseLanguage([null, "zh-Hant-TW", "fr"], languages), "zh");
  assert.equal(chooseLanguage(["pt_BR", "FR"], languages), "fr");
  assert.equal(chooseLanguage([null, "de", ""], languages), "en");
});

test("on paper the state of a slider stands in the title", () => {
  const steps = [
    { label: "0", method: /** @type {const} */ ("update"), args: [] },
    { label: "1", method: /** @type {const} */ ("update"), args: [1] },
  ];
  const layout = { title: { text: "Plane<br>of words" }, height: 570, sliders: [{ steps }] };
  assert.equal(fixSliderStep(layout, 1), steps[1]);
  assert.deepEqual(layout, { title: { text: "Plane, state 1<br>of words" }, height: 500, legend: { y: -0.13 } });
  const plain = { title: { text: "Lens" }, height: 300 };
  assert.equal(fixSliderStep(plain, undefined), undefined);
  assert.equal(plain.title.text, "Lens");
});
