// Medians and percentiles of small samples.

/** Middle value (mean of the two middle ones); NaN of an empty list. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Percentile with linear interpolation between neighbours; NaN of an empty list. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.filter((value) => Number.isFinite(value)).sort((a, b) => a - b);
  const position = ((sorted.length - 1) * percent) / 100;
  const low = sorted[Math.floor(position)];
  const high = sorted[Math.ceil(position)];
  if (low === undefined || high === undefined) return Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}
