// Numbers as they are written everywhere.

/**
 * Return a number with as many digits as its error leaves it, and the error: "0.1234 ± 0.0011".
 *
 * @param {number} value
 * @param {number} error how far it may be off
 * @param {boolean} isSigned whether a plus is written as well
 */
export function formatWithError(value, error, isSigned = false) {
  const digits = error > 0 ? Math.min(8, Math.max(2, Math.ceil(-Math.log10(error)))) : 4;
  const bound = error > 0 ? (Math.ceil(error * 10 ** digits + 0.5) / 10 ** digits).toFixed(digits) : "0";
  return `${formatDecimal(value, digits, isSigned)} ± ${bound}`;
}

/**
 * Return a number with a true minus sign, and with a plus where signs matter; what rounds to zero has none.
 *
 * @param {number} value
 * @param {number} digits behind the point
 * @param {boolean} isSigned
 */
export function formatDecimal(value, digits, isSigned = false) {
  const text = Math.abs(value).toFixed(digits);
  return Number(text) === 0 ? text : findSign(value, isSigned) + text;
}

/** Return a probability with one decimal, never a false zero. @param {number} probability */
export function formatPercent(probability) {
  return probability > 0 && probability < 0.0005 ? "<0.1%" : `${(100 * probability).toFixed(1)}%`;
}

/** Return a number with four digits that mean something. @param {number} value @param {boolean} isSigned */
export function formatNumber(value, isSigned = false) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size > 0 && size < 0.0005) return findSign(value, isSigned) + size.toExponential(2).replace("-", "−");
  const digits = size === 0 ? 0 : Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(size))));
  return formatDecimal(value, digits, isSigned);
}

/** @param {number} value @param {boolean} isSigned */
function findSign(value, isSigned) {
  if (value < 0) return "−";
  return isSigned ? "+" : "";
}
