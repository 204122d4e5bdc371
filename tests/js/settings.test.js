// The settings that hold, what follows from them, and the lines of Python that give what is shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import { writePython } from "../../xlmrxl/views/python.js";
import { chooseHead, nameSelection, requestMatrix } from "../../xlmrxl/views/selection.js";
import { chooseForm, completeSelected, completeSettings, shortenTraits } from "../../xlmrxl/views/settings.js";
import { makeMeta, PAIR, SINGLE } from "./sample.js";

/** @import { Head, Settings } from "../../xlmrxl/views/protocol" */

const DEFAULTS = completeSettings({}, makeMeta(SINGLE));
const FIRST = { layer: 0, head: 0, side: 0 };

test("what is nothing gives the defaults", () => {
  for (const given of [undefined, null, "x", 5, [], { unknown: 1 }, Object.create({ form: "matrix" })]) {
    assert.deepEqual(completeSettings(given, makeMeta(SINGLE)), DEFAULTS);
  }
});

test("what holds is taken over", () => {
  /** @type {Settings} */
  const settings = {
    form: "matrix",
    show: "mean",
    chosen: [
      [0, 1],
      [1, 2],
    ],
    units: "words",
    between: "AB",
    special: false,
    renormalise: true,
    mass: { matrix: 0.5, lines: 0.25 },
    statistic: { queries: [1], keys: [5, 6] },
    order: "lowest",
    cells: "patterns",
    compare: "difference",
    off: { heads: [[1, 1]], layers: [0], positions: [2] },
  };
  assert.deepEqual(completeSettings(settings, makeMeta(PAIR, PAIR)), settings);
});

test("what does not hold for the text and the model is left out", () => {
  const given = {
    form: "circle",
    show: ["head"],
    chosen: [[0, 1], [0, 1], [2, 0], [0, 3], [0], "x", null, [0.5, 0], [-1, 0]],
    between: "AB",
    compare: "difference",
    mass: { matrix: 0, lines: 2 },
    statistic: { queries: [4], keys: [1] },
    off: { heads: [[9, 9]], layers: [0, 0, 7, "0"], positions: [] },
  };
  const found = completeSettings(given, makeMeta(SINGLE));
  assert.deepEqual(found, { ...DEFAULTS, chosen: [[0, 1]], off: { heads: [], layers: [0], positions: null } });
});

test("statistics are known by name, or by tokens that there are", () => {
  const meta = makeMeta(SINGLE);
  assert.equal(completeSettings({ statistic: "norm" }, meta).statistic, "norm");
  assert.equal(completeSettings({ statistic: "unknown" }, meta).statistic, null);
  const pair = { queries: [1, 1], keys: [2] };
  assert.deepEqual(completeSettings({ statistic: pair }, meta).statistic, { queries: [1], keys: [2] });
});

test("the head that is shown is one that there is", () => {
  const meta = makeMeta(SINGLE);
  assert.deepEqual(completeSelected({ layer: 1, head: 2, side: 0 }, meta), { layer: 1, head: 2, side: 0 });
  for (const given of [undefined, null, "x", { layer: 2, head: 0 }, { layer: 0, head: "1" }, { side: 1 }]) {
    assert.deepEqual(completeSelected(given, meta), FIRST);
  }
  assert.deepEqual(completeSelected({}, { ...meta, inside: [[1, 1]] }), { layer: 1, head: 1, side: 0 });
});

test("a link tells what differs from the defaults", () => {
  assert.deepEqual(shortenTraits(DEFAULTS, FIRST), {});
  assert.deepEqual(shortenTraits({ ...DEFAULTS, chosen: [[0, 0]] }, FIRST), {});
  const settings = completeSettings({ mass: { lines: 0.5 }, off: { layers: [1] }, order: "lowest" }, makeMeta(SINGLE));
  assert.deepEqual(shortenTraits(settings, { layer: 1, head: 0, side: 0 }), {
    selected: { layer: 1, head: 0 },
    settings: { order: "lowest", mass: { lines: 0.5 }, off: { layers: [1] } },
  });
});

test("what a link tells gives the settings again", () => {
  const meta = makeMeta(PAIR);
  const settings = completeSettings(
    { form: "matrix", between: "BA", off: { heads: [[0, 2]] }, statistic: "norm" },
    meta,
  );
  const { settings: told } = shortenTraits(settings, FIRST);
  assert.deepEqual(completeSettings(JSON.parse(JSON.stringify(told)), meta), settings);
});

test("short texts are lines, long ones a matrix", () => {
  const long = { ...SINGLE, tokens: { text: new Array(49).fill("a"), segment: new Array(49).fill(0) } };
  assert.equal(chooseForm(DEFAULTS, [SINGLE]), "lines");
  assert.equal(chooseForm(DEFAULTS, [SINGLE, long]), "matrix");
  assert.equal(chooseForm({ ...DEFAULTS, form: "lines" }, [long]), "lines");
});

test("heads are chosen alone, added and taken out", () => {
  /** @param {Head[]} clicks @param {boolean} isAdded */
  const click = (clicks, isAdded) => {
    let traits = { selected: FIRST, settings: DEFAULTS };
    for (const head of clicks) traits = chooseHead(traits.settings, traits.selected, head, { isAdded });
    return traits;
  };
  assert.deepEqual(click([[1, 2]], false).settings.chosen, [[1, 2]]);
  const two = click([[1, 2]], true);
  assert.deepEqual(two.settings.chosen, [
    [0, 0],
    [1, 2],
  ]);
  assert.equal(two.settings.show, "mean");
  assert.equal(nameSelection(two.settings, two.selected), "Mean of 2 heads");
  const out = click(
    [
      [1, 2],
      [1, 2],
    ],
    true,
  );
  assert.deepEqual(out.settings.chosen, [[0, 0]]);
  assert.deepEqual(out.selected, FIRST);
  assert.equal(out.settings.show, "head");
  assert.deepEqual(click([[0, 0]], true).settings.chosen, [[0, 0]], "the last one stays");
});

test("each way to show has its request and its name", () => {
  /** @type {[Settings["show"], object, string][]} */
  const cases = [
    ["head", { type: "head", side: 0, layer: 1, head: 2 }, "L1 H2"],
    ["mean", { type: "head", side: 0, layer: 1, head: 2 }, "L1 H2"],
    [
      "layer-max",
      {
        type: "max",
        side: 0,
        heads: [
          [1, 0],
          [1, 1],
          [1, 2],
        ],
      },
      "Maximum of layer 1",
    ],
    ["all-mean", { type: "mean", side: 0, heads: null }, "Mean of all heads"],
    ["rollout", { type: "rollout", side: 0, up_to: 1 }, "Rollout, layers 0 to 1"],
  ];
  for (const [show, request, name] of cases) {
    const settings = { ...DEFAULTS, show };
    const selected = { layer: 1, head: 2, side: 0 };
    assert.deepEqual(requestMatrix(settings, selected, 3, 0), request);
    assert.equal(nameSelection(settings, selected), name);
  }
});

/** Return the lines of Python for some settings. @param {object} given @param {typeof SINGLE[]} sides */
function write(given, ...sides) {
  const settings = completeSettings(given, makeMeta(...sides));
  const selected = { layer: 1, head: 2, side: 0 };
  const request = requestMatrix(settings, selected, 3, 0);
  const mapSides = settings.compare === "difference" ? [0, 1] : [0];
  const known = new Map(makeMeta(...sides).statistics.map((statistic) => [statistic.name, statistic]));
  return writePython({ sides, settings, selected, heads: 3, request, mapSides, known }, "BEGUN\n");
}

test("Python for one head is one line", () => {
  assert.equal(
    write({}, SINGLE),
    `BEGUN
attention = inspection.attention(1, 2)  # rows look, columns are looked at
print(attention)
# In a notebook: from xlmrxl.widgets import AttentionExplorer
# AttentionExplorer(inspection, selected=(1, 2))
`,
  );
});

test("Python takes the words, the sentences and the rows that are shown", () => {
  const lines = write({ units: "words", special: false, renormalise: true }, SINGLE);
  assert.ok(lines.startsWith("import numpy as np\nBEGUN\n"));
  assert.match(lines, /rows = \[list\(word\.tokens\) for word in inspection\.words if word\.segment is not None\]/);
  assert.match(lines, /attention = attention \/ attention\.sum\(1, keepdims=True\)/);
  assert.match(lines, /settings=\{"units": "words", "special": False, "renormalise": True\}/);
  const pair = write({ between: "AB" }, PAIR);
  assert.match(pair, /rows = \[i for i, segment in enumerate\(inspection\.segments\) if segment == 0\]/);
  assert.match(pair, /columns = \[i for i, segment in enumerate\(inspection\.segments\) if segment == 1\]/);
  assert.match(pair, /attention = attention\[rows\]\[:, columns\]/);
});

test("Python subtracts the first from the second", () => {
  const lines = write({ compare: "difference", statistic: "entropy" }, SINGLE, SINGLE);
  assert.match(lines, /def shown\(inspection\):\n {4}attention = inspection\.attention\(1, 2\)/);
  assert.match(lines, /attention = shown\(second\) - shown\(first\)/);
  assert.match(lines, /statistic = second\.statistic\("entropy"\) - first\.statistic\("entropy"\)/);
});

test("Python gives a statistic as its declaration says", () => {
  const lines = write({ statistic: "change" }, SINGLE, SINGLE);
  assert.match(lines, /import attention_change\nstatistic = attention_change\(first, second\)\.values\n/);
  const pair = write({ statistic: { queries: [1], keys: [2] } }, SINGLE);
  assert.match(pair, /statistic = inspection\.pair_attention\(\[1\], \[2\]\)/);
});

test("Python switches off what is off", () => {
  const lines = write({ off: { heads: [[0, 1]], layers: [1], positions: [2] }, show: "layer-mean" }, SINGLE);
  assert.match(lines, /inspection\.mean_attention\(\[\(1, head\) for head in range\(3\)\]\)/);
  assert.match(lines, /print\(inspection\.ablate\(\[\(0, 1\)\], layers=\[1\], positions=\[2\]\)\)/);
});
