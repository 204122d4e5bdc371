// Where things stand on the map and in the matrix, which lines are drawn, and numbers as they are written.

import assert from "node:assert/strict";
import { test } from "node:test";
import { findLanguage, isRightToLeft } from "../../xlmrxl/views/dom.js";
import { layOutMatrix, MapGrid, moveCell, scrollInto, zoomCells } from "../../xlmrxl/views/geometry.js";
import { makeHeadValues, placeOnScale } from "../../xlmrxl/views/head_values.js";
import { binEdges, listEdges, moveFocus } from "../../xlmrxl/views/lines.js";
import { formatDecimal, formatNumber, formatPercent, formatWithError } from "../../xlmrxl/views/numbers.js";
import { writeCsv } from "../../xlmrxl/views/records.js";
import { Shown } from "../../xlmrxl/views/weights.js";

test("every square of the map is found where it stands", () => {
  for (const width of [50, 400, 4000]) {
    const grid = new MapGrid(3, 5, width);
    for (let place = 0; place < 15; place++) {
      const [x, y] = grid.corner(place);
      assert.equal(grid.find(x, y), place);
      assert.equal(grid.find(x + grid.size - 0.5, y + grid.size - 0.5), place);
      assert.ok(x + grid.size <= grid.width && y + grid.size <= grid.height);
    }
    for (const [x, y] of [
      [0, 0],
      [grid.left, 0],
      [grid.width + 2, grid.top],
      [grid.left, grid.height + 2],
    ]) {
      assert.equal(grid.find(x, y), null);
    }
  }
});

test("arrow keys stay on the map", () => {
  const grid = new MapGrid(3, 5, 400);
  assert.equal(grid.move("ArrowDown", 6, false), 11);
  assert.equal(grid.move("ArrowDown", 11, false), 11);
  assert.equal(grid.move("ArrowLeft", 0, false), 0);
  assert.equal(grid.move("End", 6, false), 9);
  assert.equal(grid.move("End", 6, true), 14);
  assert.equal(grid.move("Home", 6, true), 0);
  assert.equal(grid.move("PageUp", 11, false), 1);
  assert.equal(grid.move("PageDown", 1, false), 11);
  for (const key of ["x", "Enter", "toString"]) assert.equal(grid.move(key, 6, false), undefined);
});

test("cells of a matrix take the room that there is", () => {
  const matrix = { rows: 10, columns: 10, rowLabels: 50, columnLabels: 60, room: 400, ratio: 1, zoom: null };
  const few = layOutMatrix(matrix);
  assert.deepEqual([few.left, few.top, few.size, few.wide, few.high], [60, 70, 33, 330, 330]);
  assert.deepEqual([few.width, few.height], [390, 400]);
  const many = layOutMatrix({ ...matrix, rows: 500, columns: 500 });
  assert.equal(many.size, 3);
  assert.deepEqual([many.wide, many.high], [340, 560]);
  assert.equal(many.height, 70 + 560 + 12, "with room for a scroll bar");
  assert.ok(layOutMatrix({ ...matrix, rowLabels: 5000 }).left <= 0.28 * 400 + 11, "labels leave room for cells");
  assert.equal(layOutMatrix({ ...matrix, zoom: 6 }).size, 6);
  assert.equal(layOutMatrix({ ...matrix, rows: 30, ratio: 2 }).size * 2, Math.floor((560 / 30) * 2));
});

test("zooming goes to the next size and ends at the last", () => {
  assert.equal(zoomCells(9, 1), 13);
  assert.equal(zoomCells(10, -1), 9);
  assert.equal(zoomCells(34, 1), 34);
  assert.equal(zoomCells(3, -1), 3);
});

test("arrow keys stay in the matrix", () => {
  assert.deepEqual(moveCell("ArrowUp", [0, 1], [4, 5]), [0, 1]);
  assert.deepEqual(moveCell("End", [2, 1], [4, 5]), [2, 4]);
  assert.deepEqual(moveCell("PageDown", [2, 1], [40, 5]), [12, 1]);
  assert.equal(moveCell("Enter", [2, 1], [4, 5]), undefined);
});

test("a cell is scrolled into sight, and no further", () => {
  assert.equal(scrollInto(50, 10, 0, 100), 0);
  assert.equal(scrollInto(95, 10, 0, 100), 5);
  assert.equal(scrollInto(20, 10, 60, 100), 20);
});

/** A shown matrix of some weights. @param {number[][]} weights @param {number} mass */
function makeShown(weights, mass = 1) {
  const units = (/** @type {number} */ count) =>
    Array.from({ length: count }, (_, index) => ({ index, text: `${index}`, tokens: [index], segment: null }));
  const shown = new Shown(units(weights.length), units(weights[0].length));
  shown.values.set(weights.flat());
  shown.mass = mass;
  return shown;
}

test("lines are those in sight, or those of what is picked", () => {
  const shown = makeShown([
    [0.75, 0.25],
    [0.5, 0.5],
    [0, 1],
  ]);
  assert.deepEqual(listEdges(shown, null, 1.5, 9), [[2, 1]]);
  const rows = { rows: new Set([0]), columns: new Set() };
  assert.deepEqual(listEdges(shown, rows, 2, 2), [
    [0, 0],
    [0, 1],
  ]);
  const columns = { rows: new Set(), columns: new Set([0]) };
  assert.deepEqual(listEdges(shown, columns, 2, 2), [
    [0, 0],
    [1, 0],
  ]);
});

test("stronger lines are drawn over weaker ones, and signs are told apart", () => {
  const shown = makeShown([[0.75, -0.25, 0.01]]);
  const bins = binEdges(shown, [
    [0, 0],
    [0, 1],
    [0, 2],
  ]);
  assert.deepEqual(
    bins.map(([bin]) => bin),
    [1, -3, 9],
  );
});

test("arrow keys go between the two lists", () => {
  assert.deepEqual(moveFocus("ArrowLeft", "columns", 3), ["rows", 3]);
  assert.deepEqual(moveFocus("ArrowDown", "columns", 3), ["columns", 4]);
  assert.equal(moveFocus("Enter", "rows", 3), undefined);
});

test("heads are sorted by their value, those without one last", () => {
  const values = new Float32Array([2, Number.NaN, 3, 2]);
  assert.deepEqual(makeHeadValues([values], "highest").order, [2, 0, 3, 1]);
  assert.deepEqual(makeHeadValues([values], "lowest").order, [0, 3, 2, 1]);
  assert.deepEqual(makeHeadValues([values], "model").order, [0, 1, 2, 3]);
  const { least, most, peak } = makeHeadValues([values], "model");
  assert.deepEqual([least, most, peak], [2, 3, 3]);
});

test("values lie from the least to the most, differences around the middle", () => {
  const one = makeHeadValues([new Float32Array([1, 3])], "model");
  assert.deepEqual(
    [1, 2, 3].map((value) => placeOnScale(one, value)),
    [0, 0.5, 1],
  );
  const two = makeHeadValues([new Float32Array([1, 3]), new Float32Array([2, 1])], "model");
  assert.deepEqual([...(two.values ?? [])], [1, -2]);
  assert.deepEqual(
    [-2, 0, 2].map((value) => placeOnScale(two, value)),
    [0, 0.5, 1],
  );
  assert.equal(placeOnScale(makeHeadValues([new Float32Array([5, 5])], "model"), 5), 0);
});

test("numbers are written with a true minus sign and without a false zero", () => {
  assert.equal(formatDecimal(-1.25, 1), "−1.3");
  assert.equal(formatDecimal(0.04, 1, true), "0.0");
  assert.equal(formatDecimal(2, 1, true), "+2.0");
  assert.equal(formatPercent(0.4026), "40.3%");
  assert.equal(formatPercent(0.0001), "<0.1%");
  assert.equal(formatPercent(0), "0.0%");
  assert.equal(formatNumber(1234.5), "1235");
  assert.equal(formatNumber(0.012345), "0.01235");
  assert.equal(formatNumber(-0.00001, true), "−1.00e−5");
  assert.equal(formatNumber(0, true), "0");
  assert.equal(formatNumber(Number.NaN), "–");
  assert.equal(formatWithError(0.1234, 0.0011), "0.123 ± 0.002");
  assert.equal(formatWithError(0.5, 0), "0.5000 ± 0");
});

test("a table quotes what has to be quoted", () => {
  const rows = [{ text: 'a "b"', next: "c,d", none: null, number: 1 }];
  assert.equal(writeCsv(rows), 'text,next,none,number\r\n"a ""b""","c,d",,1\r\n');
});

test("scripts are told by their letters", () => {
  assert.ok(isRightToLeft("«القاهرة"));
  assert.ok(!isRightToLeft("Cairo القاهرة"));
  assert.ok(!isRightToLeft("123"));
  assert.deepEqual(["犬", "いぬ", "개", "dog"].map(findLanguage), ["zh", "ja", "ko", null]);
});
