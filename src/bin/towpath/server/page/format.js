"use strict";

// Numbers, sizes and times as text.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

function size(bytes) {
  let value = bytes, unit = 0;
  while (value >= 1023.95 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

function rate(bytesPerSecond) {
  return `${size(bytesPerSecond)}/s`;
}

function number(value) {
  return Math.round(value).toLocaleString("en-US");
}

function count(value, one, many) {
  return `${number(value)} ${value === 1 ? one : many}`;
}

// The two largest units: `12 d 4 h`, `3 min 20 s`.
function duration(seconds) {
  const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
  const left = Math.max(0, Math.round(seconds));
  const first = parts.findIndex(([length]) => left >= length);
  if (first < 0) return "0 s";
  const [length, unit] = parts[first];
  const text = `${Math.floor(left / length)} ${unit}`;
  const next = parts[first + 1];
  const rest = next ? Math.floor((left % length) / next[0]) : 0;
  return rest > 0 ? `${text} ${rest} ${next[1]}` : text;
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

function two(value) {
  return String(value).padStart(2, "0");
}

// `06:00`, in the time zone of the browser.
function clock(date) {
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

function clockWithSeconds(date) {
  return `${clock(date)}:${two(date.getSeconds())}`;
}

function isSameDay(one, other) {
  return one.toDateString() === other.toDateString();
}

// `Thu 12 Dec`, with the year if it is another one.
function day(date, now) {
  const year = date.getFullYear() === now.getFullYear() ? "" : ` ${date.getFullYear()}`;
  return `${DAYS[date.getDay()]} ${date.getDate()} ${MONTHS[date.getMonth()]}${year}`;
}

// `06:00` today, else `Thu 12 Dec 06:00`.
function moment(date, now) {
  return isSameDay(date, now) ? clock(date) : `${day(date, now)} ${clock(date)}`;
}

function secondsBetween(earlier, later) {
  return (later - earlier) / 1000;
}

// Control characters, and those that change the direction of text: a name must not show as another one.
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/u;

function escapeOf(character) {
  const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[character];
  return short ?? `\\u{${character.codePointAt(0).toString(16)}}`;
}

// The beginning and the end of a long text, cut between characters.
function shortened(text, most) {
  const characters = Array.from(text);
  if (characters.length <= most) return text;
  const tail = Math.floor(most * 0.7);
  return `${characters.slice(0, most - tail - 1).join("")}…${characters.slice(-tail).join("")}`;
}
