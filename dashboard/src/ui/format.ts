// Numbers, bytes, durations and times as people read them; pure.

const decimal = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 1234567 -> "1,234,567". */
export const formatCount = (value: number): string => whole.format(value);

/** 1234567 -> "1.2M"; small numbers stay exact. */
export function formatCompact(value: number): string {
  const size = Math.abs(value);
  if (size < 10_000) return whole.format(value);
  if (size < 999_950) return `${decimal.format(value / 1e3)}k`;
  if (size < 999_950_000) return `${decimal.format(value / 1e6)}M`;
  return `${decimal.format(value / 1e9)}B`;
}

const byteUnits = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** 1536 -> "1.5 KiB". */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit++;
  }
  const text = unit === 0 ? whole.format(value) : decimal.format(value);
  return `${text} ${byteUnits[unit]}`;
}

/** 0.42 -> "0.4 ms", 1530 -> "1.5 s", 95000 -> "1 min 35 s". */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 1) return `${decimal.format(milliseconds)} ms`;
  if (milliseconds < 10) return `${decimal.format(milliseconds)} ms`;
  if (milliseconds < 1000) return `${whole.format(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${decimal.format(milliseconds / 1000)} s`;
  const seconds = Math.round(milliseconds / 1000);
  const rest = seconds % 60;
  return rest === 0 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 60)} min ${rest} s`;
}

const steps: [limitSeconds: number, unitSeconds: number, unit: string][] = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [86_400, 3600, "h"],
  [86_400 * 100, 86_400, "d"],
  [86_400 * 365 * 2, 86_400 * 30, "mo"],
  [Infinity, 86_400 * 365, "y"],
];

/** "just now", "42 s ago", "in 3 h". */
export function formatAgo(timeMs: number, nowMs: number): string {
  const seconds = Math.round((nowMs - timeMs) / 1000);
  const distance = Math.abs(seconds);
  if (distance < 2) return "just now";
  const step = steps.find(([limit]) => distance < limit);
  if (!step) return "";
  const text = `${Math.floor(distance / step[1])} ${step[2]}`;
  return seconds >= 0 ? `${text} ago` : `in ${text}`;
}

const absolute = new Intl.DateTimeFormat(undefined, {
  year: "numeric",
  month: "short",
  day: "2-digit",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});
const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hour12: false,
});

/** Date and time of day in the reader's zone. */
export const formatAbsolute = (timeMs: number): string => absolute.format(timeMs);
/** Time of day in the reader's zone. */
export const formatClock = (timeMs: number): string => clock.format(timeMs);

const minute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hour12: false });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", timeZone: "UTC" });
const date = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "2-digit", timeZone: "UTC" });

/** A mark of a time axis: the time of day in the reader's zone. */
export const formatMinute = (timeMs: number): string => minute.format(timeMs);
/** A mark of an axis of days: a day of UTC, in which the server counts. */
export const formatDay = (timeMs: number): string => day.format(timeMs);
/** The same with its year. */
export const formatDate = (timeMs: number): string => date.format(timeMs);

/** 3, "agent" -> "3 agents". */
export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${formatCount(count)} ${count === 1 ? one : many}`;
