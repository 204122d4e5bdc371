const WAYS = { pieces: "pieces", words: "whole words", joint: "all masks together" };
const ENTROPY = "How undecided the model is here: 0 bits where it is sure of one piece, and one bit more for each "
  + "doubling of the pieces that it takes for equally likely.";
const IDLE = "Click a token to mask it and fill again.";

function render({ model, el }) {
  return widget({ model, el }, (ask) => {
    const text = textBox(ask, { placeholder: "Paris is the <mask> of France.", className: "x-sentence-box" });
    const way = choice("Fill with", WAYS, () => ask());
    const count = h("input", { type: "number", min: 1, max: 100, step: 1, onchange: () => ask() });
    const insert = h("button", { type: "button", onclick: insertMask }, "Insert <mask>");

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
      const marks = found.masks.map((mask, number) => h("mark", {}, own("bdi", chosenFill(mask, number)?.text ?? MASK)));
      const sentence = h("p", { className: "x-sentence", dir: "auto" },
        found.parts.flatMap((part, place) => [part, marks[place]]));
      const said = found.masks.map((mask, number) => {
        const fill = chosenFill(mask, number);
        return fill ? `mask ${number + 1}: ${fill.text}, ${percent(fill.probability)}` : "";
      });
      const axis = axisEnd(found.masks.flatMap((mask) => mask.fills.map((fill) => fill.probability)));
      const tables = found.scores.length ? [together(found)]
        : found.masks.map((mask, number) => maskFills(mask, number, found, axis));
      return [
        unseen(`Filled. ${said.join("; ")}`, { role: "status" }),
        h("div", {}, heading("Completed"), sentence),
        chips(found),
        h("div", { className: "x-masks" }, tables),
      ];
    }

    function chips(found) {
      const readout = h("p", { className: "x-readout", "aria-hidden": "true" }, IDLE);
      const words = [];
      for (const token of found.tokens) {
        const node = chip(token);
        if (!node.disabled) {
          for (const type of ["mouseenter", "focus"]) node.addEventListener(type, () => { readout.textContent = node.tip; });
        }
        if (token.joined && words.length) words.at(-1).append(node);
        else words.push(h("span", { className: "x-word" }, node));
      }
      const group = h("div", { className: "x-tokens", role: "group", dir: "auto",
        "aria-label": "Tokens: choose one to mask it", onmouseleave: () => { readout.textContent = IDLE; } }, words);
      return h("div", {}, heading("Tokens", String(found.tokens.length)), roving(group), readout);
    }

    function chip(token) {
      const facts = `${token.piece} · id ${token.id}`;
      const where = `characters ${token.start} to ${token.end}`;
      let node;
      if (token.mask) {
        node = h("button", { type: "button", className: "x-chip x-mask", dir: "ltr",
          "aria-label": `Mask ${token.mask}: go to its fills`, onclick: () => {
            const tables = el.querySelectorAll(".x-fills");
            (tables[token.mask - 1] || tables[0])?.querySelector("tbody button")?.focus();
          } }, MASK, h("sub", {}, String(token.mask)));
        node.tip = `mask ${token.mask} · id ${token.id} · ${where}`;
      } else if (token.special) {
        node = h("span", { className: "x-chip x-special", dir: "ltr" }, token.text);
        node.tip = facts;
      } else {
        node = h("button", { type: "button", className: "x-chip", "aria-label": `${token.piece}, id ${token.id}: mask it`,
          onclick: () => maskToken(token) }, h("bdi", {}, token.text));
        node.tip = `${facts} · ${where}`;
      }
      return node;
    }

    function fillButton(fill, rank, number) {
      const pressed = model.get("selected")[number] === rank;
      return h("button", { type: "button", "aria-pressed": String(pressed), title: `${fill.piece}: put it in the sentence`,
        onclick: () => select(number, rank) }, own("bdi", fill.text));
    }

    function maskFills(mask, number, found, axis) {
      const name = found.masks.length === 1 ? "Fills" : `Mask ${number + 1}`;
      const rows = mask.fills.map((fill, rank) => h("tr", {},
        h("td", { className: "x-rank" }, String(rank + 1)),
        h("th", { scope: "row" }, fillButton(fill, rank, number)),
        h("td", { className: "x-bar", "aria-hidden": "true" }, bar(fill.probability, axis)),
        h("td", { className: "x-percent" }, percent(fill.probability))));
      const table = h("table", {}, h("caption", { className: "x-unseen" }, `${name}: what the model would put there`),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, unseen("Rank")), h("th", { scope: "col" }, unseen("Fill")),
          ticks(axis), h("th", { scope: "col" }, unseen("Probability")))),
        roving(h("tbody", {}, rows)));
      return h("div", { className: "x-fills" }, heading(name, `token ${mask.position}`), table, rest(mask));
    }

    /** What stands below the fills. Words of different lengths do not share one probability: they have no rest. */
    function rest(mask) {
      const facts = [];
      if (mask.entropy !== null) {
        const bits = Math.max(0, mask.entropy / Math.LN2).toFixed(1);
        facts.push(h("span", { title: ENTROPY }, `Entropy: ${bits} bits`));
      }
      const notes = [];
      if (mask.searched) {
        notes.push(h("p", { className: "x-note" }, "In the order of how well each word fits its neighbours. The bar is "
          + "the probability among words of as many pieces."));
      } else {
        const others = 1 - mask.fills.reduce((sum, fill) => sum + fill.probability, 0);
        facts.push(h("span", {}, `Everything else: ${percent(Math.max(0, others))}`));
      }
      return h("div", {}, notes, h("p", { className: "x-rest" }, facts));
    }

    function together(found) {
      const names = found.masks.map((_, number) => h("th", { scope: "col" }, `Mask ${number + 1}`));
      const rows = found.scores.map((score, rank) => h("tr", {},
        h("td", { className: "x-rank" }, String(rank + 1)),
        found.masks.map((mask, number) => (number ? h("td", {}, own("bdi", mask.fills[rank].text))
          : h("th", { scope: "row" }, fillButton(mask.fills[rank], rank, 0)))),
        h("td", { className: "x-percent" }, signed(score, 2)),
        h("td", { className: "x-percent" }, percent(Math.exp(score)))));
      return h("div", { className: "x-fills x-ways" }, heading("Ways to fill them together"),
        h("div", { className: "x-scroll" }, h("table", {},
          h("caption", { className: "x-unseen" }, "Ways to fill all masks together"),
          h("thead", {}, h("tr", {}, h("th", { scope: "col" }, unseen("Rank")), names,
            h("th", { scope: "col" }, "log P"), h("th", { scope: "col" }, "P"))),
          roving(h("tbody", {}, rows)))),
        h("p", { className: "x-note" }, "log P is the logarithm of the probability of all fills together, in nats: the "
          + "closer to zero, the likelier. Each fill takes those before it into account."));
    }

    return {
      verb: "Fill masks",
      doing: "Filling",
      hint: "Write a sentence with <mask> where a word is missing and press Enter.",
      form: [field("Sentence", text, "x-wide"), h("div", { className: "x-fields" }, way, field("Fills for each mask", count))],
      buttons: [insert],
      question: () => ({ text: text.value, way: way.picked() || model.get("way"),
        top_k: Math.max(1, Math.round(Number(count.value)) || model.get("top_k")) }),
      fill() {
        text.value = model.get("text");
        text.grow();
        way.pick(model.get("way"));
        count.value = model.get("top_k");
      },
      answer,
      extra: ["selected"],
    };
  });
}

export default { render };
