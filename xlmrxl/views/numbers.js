// @ts-nocheck: not typed yet
// Numbers as they are written everywhere.

/** A number with as many digits as its error leaves it, and the error: "0.1234 ± 0.0011". */
export function formatWithError(value, error, signed = false) {
  const digits = error > 0 ? Math.min(8, Math.max(2, Math.ceil(-Math.log10(error)))) : 4;
  const bound = error > 0 ? (Math.ceil(error * 10 ** digits + 0.5) / 10 ** digits).toFixed(digits) : "0";
  return `${formatDecimal(value, digits, signed)} ± ${bound}`;
}

/** A number with a true minus sign, and with a plus where signs matter. */
export function formatDecimal(value, digits, signed = false) {
  const text = Math.abs(value).toFixed(digits);
  const sign = Number(text) === 0 ? "" : value < 0 ? "−" : signed ? "+" : "";
  return sign + text;
}

/** A probability with one decimal, never a false zero. */
export const formatPercent = (p) => (p > 0 && p < 0.0005 ? "<0.1%" : `${(100 * p).toFixed(1)}%`);

/** A number with four digits that mean something. */
export function formatNumber(value, signed = false) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size > 0 && size < 0.0005)
    return `${value < 0 ? "−" : signed ? "+" : ""}${size.toExponential(2).replace("-", "−")}`;
  const digits = size === 0 ? 0 : Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(size))));
  return formatDecimal(value, digits, signed);
}
