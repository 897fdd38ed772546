// Scales and their ticks.

/** Return the multiples of powers of ten to tick on a logarithmic axis. */
function logTicks(low, high) {
  const decades = Math.log10(high / low);
  const mantissas =
    decades < 0.7 ? [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9] : decades < 1.2 ? [1, 2, 3, 5, 7] : decades < 4 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const mantissa of mantissas) ticks.push(Number((mantissa * 10 ** power).toPrecision(3)));
  }
  return ticks.filter((tick) => tick >= low && tick <= high);
}

/** Return about `count` round values of a linear axis. */
function linearTicks(low, high, count) {
  const rough = (high - low) / count, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const ticks = [];
  for (let index = Math.ceil(low / step); index * step <= high; index += 1) ticks.push(Number((index * step).toPrecision(10)));
  return ticks;
}

/** Return a scale from values to pixels, with its ticks. */
function scaleOf(axis, low, high, from, to) {
  const along = axis.log
    ? (value) => Math.log(value / low) / Math.log(high / low)
    : (value) => (value - low) / (high - low);
  const room = Math.abs(to - from), wanted = Math.max(2, Math.round(room / (axis.log ? 46 : 48)));
  const round = axis.log ? logTicks(low, high) : [];
  const all = round.length > 3 ? round : linearTicks(low, high, axis.log ? Math.min(8, wanted) : wanted);
  const ticks = [];
  const at = (value) => from + (to - from) * along(value);
  for (const tick of all) {
    // Side by side labels take room by their length, one above the other by their height.
    const apart = to > from ? Math.max(34, 8 * tickText(tick).length + 6) : 34;
    if (!ticks.length || Math.abs(at(tick) - at(ticks[ticks.length - 1])) > apart) ticks.push(tick);
  }
  return { at, ticks, low, high };
}

/** Return a tick's label; thousands are set apart. */
const tickText = (value) => value.toLocaleString("en-GB", { maximumSignificantDigits: 6 });
