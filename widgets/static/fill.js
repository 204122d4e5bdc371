// @ts-nocheck: not typed yet
import { element, own } from "../../xlmrxl/views/dom.js";
import { formatDecimal, formatPercent } from "../../xlmrxl/views/numbers.js";
import { axisEnd, bar, choice, field, heading, MASK, roving, textBox, ticks, unseen, widget } from "./parts.js";

const METHODS = { subwords: "subwords", words: "whole words", joint: "all masks together" };
const ENTROPY =
  "How undecided the model is here: 0 bits where it is sure of one subword, and one bit more for each " +
  "doubling of the subwords that it takes for equally likely.";
const MARKS =
  "What begins with … goes on with what stands before the mask, without a space: app and …ear make appear. A " +
  "sign, or a character of a script without spaces, begins with ▁ where a space is before it.";
const IDLE = "Click a token to mask it and fill again.";

function render({ model, el }) {
  return widget({ model, el }, (ask) => {
    const text = textBox(ask, { placeholder: "Paris is the <mask> of France.", class: "x-sentence-box" });
    const method = choice("Fill with", METHODS, () => ask());
    const count = element("input", { type: "number", min: 1, max: 100, step: 1, change: () => ask() });
    const insert = element("button", { type: "button", click: insertMask }, "Insert <mask>");

    /** Put a mask at the caret, or in place of what is selected; its spaces stay. */
    function insertMask() {
      const { selectionStart: start, selectionEnd: end, value } = text;
      const chosen = value.slice(start, end);
      const before = chosen.slice(0, chosen.length - chosen.trimStart().length);
      const after = chosen.trim() ? chosen.slice(chosen.trimEnd().length) : "";
      text.setRangeText(before + MASK + after, start, end);
      const caret = start + before.length + MASK.length;
      text.focus();
      text.setSelectionRange(caret, caret);
      text.grow();
    }

    function maskToken(token) {
      const characters = [...model.get("found").text]; // offsets count characters, not UTF-16 units
      const there = characters.slice(token.start, token.end).join("");
      const spaces = there.slice(0, there.length - there.trimStart().length);
      characters.splice(token.start, token.end - token.start, spaces + MASK);
      text.value = characters.join("");
      text.grow();
      ask();
    }

    function select(number, rank) {
      const { scores } = model.get("found");
      const chosen = model.get("selected").map((old, place) => (scores.length || place === number ? rank : old));
      model.set("selected", chosen);
      model.save_changes();
    }

    const chosenFill = (mask, number) => mask.fills[model.get("selected")[number]];

    function answer(found) {
      const marks = found.masks.map((mask, number) => element("mark", {}, own(chosenFill(mask, number)?.text ?? MASK)));
      const sentence = element(
        "p",
        { class: "x-sentence", dir: "auto" },
        ...found.parts.flatMap((part, place) => [part, marks[place]]),
      );
      const said = found.masks.map((mask, number) => {
        const fill = chosenFill(mask, number);
        return fill ? `mask ${number + 1}: ${fill.text}, ${formatPercent(fill.probability)}` : "";
      });
      const axis = axisEnd(found.masks.flatMap((mask) => mask.fills.map((fill) => fill.probability)));
      const tables = found.scores.length
        ? [together(found)]
        : found.masks.map((mask, number) => maskFills(mask, number, found, axis));
      return [
        unseen(`Filled. ${said.join("; ")}`, { role: "status" }),
        element("div", {}, heading("Completed"), sentence),
        chips(found),
        element("div", { class: "x-masks" }, ...tables),
        ...(found.masks.some((mask) => mask.fills.some((fill) => fill.said))
          ? [element("p", { class: "x-note" }, MARKS)]
          : []),
      ];
    }

    function chips(found) {
      const readout = element("p", { class: "x-readout", "aria-hidden": "true" }, IDLE);
      const words = [];
      for (const token of found.tokens) {
        const node = chip(token);
        for (const type of ["mouseenter", "focus"])
          node.addEventListener(type, () => {
            readout.textContent = node.tip;
          });
        if (token.joined && words.length) words.at(-1).append(node);
        else words.push(element("span", { class: "x-word" }, node));
      }
      const group = element(
        "div",
        {
          class: "x-tokens",
          role: "group",
          dir: "auto",
          "aria-label": "Tokens: choose one to mask it",
          mouseleave: () => {
            readout.textContent = IDLE;
          },
        },
        ...words,
      );
      return element("div", {}, heading("Tokens", String(found.tokens.length)), roving(group), readout);
    }

    function chip(token) {
      const facts = `${token.piece} · id ${token.id}`;
      const where = `characters ${token.start} to ${token.end}`;
      let node;
      if (token.mask) {
        node = element(
          "button",
          {
            type: "button",
            class: "x-chip x-mask",
            dir: "ltr",
            "aria-label": `Mask ${token.mask}: go to its fills`,
            click: () => {
              const tables = el.querySelectorAll(".x-fills");
              (tables[token.mask - 1] || tables[0])?.querySelector("tbody button")?.focus();
            },
          },
          MASK,
          element("sub", {}, String(token.mask)),
        );
        node.tip = `mask ${token.mask} · id ${token.id} · ${where}`;
      } else if (token.special) {
        node = element("span", { class: "x-chip x-special", dir: "ltr" }, token.text);
        node.tip = facts;
      } else {
        node = element(
          "button",
          {
            type: "button",
            class: "x-chip",
            "aria-label": `${token.piece}, id ${token.id}: mask it`,
            click: () => maskToken(token),
          },
          element("bdi", {}, token.text),
        );
        node.tip = `${facts} · ${where}`;
      }
      return node;
    }

    /** A fill with its mark, which a screen reader may pass over. */
    const labelled = (fill) => [own(fill.label), fill.said ? unseen(` ${fill.said}`) : ""];

    function fillButton(fill, rank, number) {
      const pressed = model.get("selected")[number] === rank;
      return element(
        "button",
        {
          type: "button",
          "aria-pressed": String(pressed),
          title: `${fill.piece}: put it in the sentence`,
          click: () => select(number, rank),
        },
        ...labelled(fill),
      );
    }

    function maskFills(mask, number, found, axis) {
      const name = found.masks.length === 1 ? "Fills" : `Mask ${number + 1}`;
      const rows = mask.fills.map((fill, rank) =>
        element(
          "tr",
          {},
          element("td", { class: "x-rank" }, String(rank + 1)),
          element("th", { scope: "row" }, fillButton(fill, rank, number)),
          element("td", { class: "x-bar", "aria-hidden": "true" }, bar(fill.probability, axis)),
          element("td", { class: "x-percent" }, formatPercent(fill.probability)),
        ),
      );
      const table = element(
        "table",
        {},
        element("caption", { class: "x-unseen" }, `${name}: what the model would put there`),
        element(
          "thead",
          {},
          element(
            "tr",
            {},
            element("th", { scope: "col" }, unseen("Rank")),
            element("th", { scope: "col" }, unseen("Fill")),
            ticks(axis),
            element("th", { scope: "col" }, unseen("Probability")),
          ),
        ),
        roving(element("tbody", {}, ...rows)),
      );
      return element("div", { class: "x-fills" }, heading(name, `token ${mask.position}`), table, rest(mask));
    }

    /** What stands below the fills. Words of different lengths do not share one probability: they have no rest. */
    function rest(mask) {
      const facts = [];
      if (mask.entropy !== null) {
        const bits = Math.max(0, mask.entropy / Math.LN2).toFixed(1);
        facts.push(element("span", { title: ENTROPY }, `Entropy: ${bits} bits`));
      }
      const notes = [];
      if (mask.searched) {
        notes.push(
          element(
            "p",
            { class: "x-note" },
            "In the order of how well each word fits its neighbours. The bar is " +
              "the probability among words of as many subwords.",
          ),
        );
      } else {
        const others = 1 - mask.fills.reduce((sum, fill) => sum + fill.probability, 0);
        facts.push(element("span", {}, `Everything else: ${formatPercent(Math.max(0, others))}`));
      }
      return element("div", {}, ...notes, element("p", { class: "x-rest" }, ...facts));
    }

    function together(found) {
      const names = found.masks.map((_, number) => element("th", { scope: "col" }, `Mask ${number + 1}`));
      const rows = found.scores.map((score, rank) =>
        element(
          "tr",
          {},
          element("td", { class: "x-rank" }, String(rank + 1)),
          ...found.masks.map((mask, number) =>
            number
              ? element("td", {}, ...labelled(mask.fills[rank]))
              : element("th", { scope: "row" }, fillButton(mask.fills[rank], rank, 0)),
          ),
          element("td", { class: "x-percent" }, formatDecimal(score, 2)),
          element("td", { class: "x-percent" }, formatPercent(Math.exp(score))),
        ),
      );
      return element(
        "div",
        { class: "x-fills x-ways" },
        heading("Ways to fill them together"),
        element(
          "div",
          { class: "x-scroll" },
          element(
            "table",
            {},
            element("caption", { class: "x-unseen" }, "Ways to fill all masks together"),
            element(
              "thead",
              {},
              element(
                "tr",
                {},
                element("th", { scope: "col" }, unseen("Rank")),
                ...names,
                element("th", { scope: "col" }, "log P"),
                element("th", { scope: "col" }, "P"),
              ),
            ),
            roving(element("tbody", {}, ...rows)),
          ),
        ),
        element(
          "p",
          { class: "x-note" },
          "log P is the logarithm of the probability of all fills together, in nats: the " +
            "closer to zero, the likelier. Each fill takes those before it into account.",
        ),
      );
    }

    return {
      verb: "Fill masks",
      doing: "Filling",
      hint: "Write a sentence with <mask> where a word is missing and press Enter.",
      form: [
        field("Sentence", text, "x-wide"),
        element("div", { class: "x-fields" }, method, field("Fills for each mask", count)),
      ],
      buttons: [insert],
      question: () => ({
        text: text.value,
        method: method.picked() || model.get("method"),
        top_k: Math.max(1, Math.round(Number(count.value)) || model.get("top_k")),
      }),
      fill() {
        text.value = model.get("text");
        text.grow();
        method.pick(model.get("method"));
        count.value = model.get("top_k");
      },
      answer,
      extra: ["selected"],
    };
  });
}

export default { render };
