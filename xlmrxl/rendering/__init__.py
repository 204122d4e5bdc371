"""Results as HTML: one renderer for the app, the widgets and notebooks, and the style sheet that goes with it.

Python renders, because it has the result, the numbers and the texts, and because what it renders is there in a saved
notebook, an exported page and a page without JavaScript as well. `interaction.js` adds what clicks and keys do, by the
`data-` attributes of the same markup. The package knows no result: each composes its HTML from the parts here.
"""
