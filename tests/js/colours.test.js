// The colour scales: order survives a grey print and every kind of colour blindness.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Scale, usePalette } from "../../xlmrxl/views/colours.js";

usePalette({
  hue: [],
  grey: [],
  warning: { light: "#a3361f", dark: "#f0937c" },
  scales: {
    sequential: { light: ["#ffffff", "#8080ff", "#000040"], dark: ["#101010", "#8080ff", "#f0f0ff"] },
    diverging: { light: ["#803000", "#ffffff", "#000040"], dark: ["#ffe0c0", "#101010", "#e0e0ff"] },
  },
});

/** The lightness of a scale's pixels, as a print without colours has them. @param {Scale} scale */
function greyOf(scale) {
  return Array.from(scale.pixels, (p) => 0.2126 * (p & 255) + 0.7152 * ((p >> 8) & 255) + 0.0722 * ((p >> 16) & 255));
}

/** Check that lightness goes one way, and far. @param {number[]} grey @param {number} direction @param {number} range */
function checkOrder(grey, direction, range) {
  for (let i = 1; i < grey.length; i++) assert.ok((grey[i] - grey[i - 1]) * direction < 0.51, `level ${i}`);
  assert.ok(Math.abs(grey[grey.length - 1] - grey[0]) > range);
}

for (const [theme, direction] of /** @type {const} */ ([
  ["light", 1],
  ["dark", -1],
])) {
  test(`the ${theme} scale goes one way in grey`, () => checkOrder(greyOf(new Scale(theme)), direction, 180));

  test(`the ${theme} scale for differences goes one way to both sides of 0`, () => {
    const grey = greyOf(new Scale(theme, true));
    checkOrder(grey.slice(0, 128).reverse(), direction, 120);
    checkOrder(grey.slice(128), direction, 120);
  });
}

test("levels are on a square-root scale, and 0 stays 0", () => {
  const scale = new Scale("light");
  assert.equal(scale.level(0, 0.5), 0);
  assert.equal(scale.level(0.5, 0.5), 255);
  assert.equal(scale.level(0.125, 0.5), 128);
  assert.equal(scale.level(7, 0.5), 255);
  assert.equal(scale.level(0, 0), 0);
});

test("levels of differences lie around the middle", () => {
  const scale = new Scale("light", true);
  assert.equal(scale.level(0, 1), 128);
  assert.equal(scale.level(1, 1), 255);
  assert.equal(scale.level(-1, 1), 0);
});

test("a colour is the same as a text and as a pixel", () => {
  const scale = new Scale("dark");
  for (const level of [0, 100, 255]) {
    const pixel = scale.pixels[level];
    assert.equal(scale.css(level / 255), `rgb(${pixel & 255},${(pixel >> 8) & 255},${(pixel >> 16) & 255})`);
    assert.equal(pixel >>> 24, 255);
  }
  assert.equal(scale.css(-1), scale.css(0));
  assert.equal(scale.css(2), scale.css(1));
});
