"""What the attention explorer's front end (attention.js) is sent, and what it may ask for.

The front end is an ES module in the anywidget format: `export default { render({model, el}) }`. `source()` is the whole
of it as one string, for anywidget's `_esm`; from a static path, attention.js can be loaded as it lies here, with the
files it imports beside it. It knows its model by `get`, `set`, `on`, `off`, `save_changes` and `send`, and these traits:

    meta        dict, from `AttentionView.first()`
    buffers     list of bytes, from `AttentionView.first()`; set the two together (`hold_sync`): a change of `meta` draws
                everything anew
    selected    dict {layer, head, side}: the head that was chosen last; set from either end
    settings    dict of what is shown and how; {} for the defaults; set from either end

Everything else is asked for with `model.send({id, type, …})` and answered by a custom message `{id, type, …}` with
buffers: `AttentionView.answer()`. Where bytes cannot travel (Gradio), `with_base64(reply, buffers)` makes one dict for
JSON of both, and `jsonModel({first, ask, selected, settings, changed})` of attention.js is a model made of such dicts:

    render({ el, model: jsonModel({ first: <with_base64(*view.first())>,
                                    ask: async (request) => <with_base64(*view.answer(request))>,
                                    changed: (name, value) => … }) })        // name is "selected" or "settings"

Layers and heads count from 0. A *side* is 0, the inspection, or 1, the other one (another language or precision).

**First view.** `meta` is {"version": 1, "same_tokens": whether two sides have the same tokens and can be subtracted,
"abilities": which of "ablate", "html" may be asked for, "statistics": [{"name", "label", "unit"}], "on_demand": the same of those that have to be asked for,
"sides": [side]}, with of each side

    text, second    as they were given; `second` is null where there is no pair
    source          {"model", "revision", "precision", "version", "settings"}
    layers, heads, thumbnail (edge of a thumbnail in cells)
    tokens          {"text": what the original says or, of special tokens and lone spaces, the piece; "piece"; "segment":
                    0, 1, or null for <s> and </s>}, each a list with an entry per token
    words           {"text", "tokens": [[index, …], …], "segment"}, each a list with an entry per word
    masks           [index, …] of the <mask> tokens

`buffers` are two for each side, both deflated (zlib): the thumbnails, float32 (layers × heads) scales and then uint8
(layers, heads, thumbnail, thumbnail); and the statistics, float32 (statistics, layers, heads) in the order of `meta`.

**Matrices** travel as one deflated buffer: float32 (tokens) scales, one of each row, and then uint8 (tokens, tokens),
rows are queries. A weight is level × scale of its row, and so at most half a scale from the model's. **Maps** (one value
for each head) travel as one deflated buffer of float32 (layers, heads) and are exact. All numbers are little-endian.

**Requests.** `id` is an integer or a short string of the asker's and comes back; `side` may be left out where it is 0.

    type        asks with                                   reply beside id and type        buffers
    head        side, layer, head                           side, layer, head               [matrix]
    mean, max   side, heads: [[layer, head], …], null: all  side                            [matrix]
    rollout     side, up_to: layer                          side, up_to                     [matrix]
    rank        side, by: a statistic's name, or            side, by, label, unit           [map]
                {"queries": [token, …], "keys": [token, …]}
    ablate      side, heads: [[layer, head], …],            side, found: Ablation.to_dict() []
                layers: [layer, …], at: [token, …] or null
    html        heads: [[layer, head], …]                   name: of a file                 [the file, UTF-8]

By two lists of tokens, heads are ranked by the attention to the keys (summed) from the queries (their mean), as
attention between words is. The statistic "change", of two sides with the same tokens, is how far a head's rows differ
between them: half the sum of the absolute differences, on average over the rows.

A request that is wrong is answered {id, type, "error": one sentence}. Requests may come from strangers: nothing of them
is trusted, and what one may cost is bounded by what the model costs.

**Settings**, with their defaults first:

    form        "matrix" or "lines"; null for lines up to 48 tokens and the matrix beyond
    show        "head", "mean", "max" (of `chosen`), "layer-mean", "layer-max", "all-mean", "all-max", "rollout"
    chosen      [[layer, head], …]; the selected head alone if empty
    units       "pieces" or "words"
    between     "all", "AA", "AB", "BA" or "BB": from which sentence of a pair to which
    special     true or false: whether <s> and </s> are shown
    renormalise false or true: whether rows are divided by the sum of what is shown of them
    mass        {"matrix": 1, "lines": 0.7}: of each row the fewest weights are drawn that reach this share of it
    statistic   null or a name: what the map is coloured by
    order       "model", "highest" or "lowest": how the map is sorted
    compare     "sides" or "difference"
    off         {"heads": [[layer, head], …], "layers": [layer, …]}: what is switched off
"""
