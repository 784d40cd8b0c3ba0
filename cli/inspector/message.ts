// A recorded message as it is shown: its lines with what lets somebody in hidden, its body as text where it is text.

import {
  brotliDecompressSync,
  constants,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  zstdDecompressSync,
} from "node:zlib";
import { secretName } from "../../src/lib/secret-names.ts";
import { formParts } from "./form-parts.ts";
import type { KeptBody, Recording } from "./recording.ts";
import { shownBytes } from "./shown-bytes.ts";
import type { Body, ExchangeDetails, ExchangeSummary, Field, Message, Socket } from "./types.ts";

/** What is shown of a body. A few bytes may unpack to gigabytes. */
const maxShown = 2 * 1024 * 1024;
const hexBytes = 512;
/** Of a path in the list. */
const listedPath = 1_000;

// Of what is cut, or goes on, as much is decoded as is there.
const zlib = { maxOutputLength: maxShown, finishFlush: constants.Z_SYNC_FLUSH };
const brotli = { maxOutputLength: maxShown, finishFlush: constants.BROTLI_OPERATION_FLUSH };
const zstd = { maxOutputLength: maxShown, finishFlush: constants.ZSTD_e_flush };
const decoders: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  gzip: (bytes) => gunzipSync(bytes, zlib),
  "x-gzip": (bytes) => gunzipSync(bytes, zlib),
  // Some leave its frame out, and browsers read it all the same.
  deflate: (bytes) => ((bytes[0]! & 0x0f) === 8 ? inflateSync : inflateRawSync)(bytes, zlib),
  br: (bytes) => brotliDecompressSync(bytes, brotli),
  zstd: (bytes) => zstdDecompressSync(bytes, zstd),
};

export function summaryOf(recording: Recording): ExchangeSummary {
  const { id, source, method, path, startedAt, status, headMs, totalMs, repeats } = recording;
  const { requestBody, answerBody, error, cancelled } = recording;
  return {
    ...{ id, url: source.url, method, path: path.slice(0, listedPath), startedAt, status, headMs, totalMs },
    ...{ bytesIn: requestBody.bytes, bytesOut: answerBody.bytes, error, cancelled, repeats },
  };
}

/** `withSecrets`: nothing is hidden. */
export function detailsOf(recording: Recording, withSecrets: boolean): ExchangeDetails {
  const { source, requestHead, answerHead, requestBody, answerBody, isAsked, totalMs, error } = recording;
  const isAnswered = totalMs !== null && error === null;
  return {
    ...summaryOf(recording),
    path: recording.path,
    local: source.local.label,
    request: messageOf(requestHead, requestBody, isAsked, withSecrets),
    answer: answerHead === null ? null : messageOf(answerHead, answerBody, isAnswered, withSecrets),
    notRepeatable: whyNotRepeatable(recording),
    socket: socketOf(recording),
  };
}

function socketOf({ socket, closedBy, requestBody, answerBody }: Recording): Socket | null {
  if (socket === null) return null;
  return {
    visitor: { messages: socket.visitor.messages, bytes: requestBody.bytes },
    service: { messages: socket.service.messages, bytes: answerBody.bytes },
    closed: closedBy === null ? null : { by: closedBy, ...socket[closedBy].close! },
  };
}

/** Why it can't be sent again; null: it can. */
export function whyNotRepeatable({ isAsked, socket, requestHead, requestBody }: Recording): string | null {
  const isUpgrade = fieldsOf(requestHead, true).some(({ name }) => name.toLowerCase() === "upgrade");
  if (socket !== null || isUpgrade) return "It switches to another protocol.";
  if (!requestBody.isWhole) return "Its body is larger than what is kept.";
  return isAsked ? null : "Not all of it has arrived.";
}

/** The fields of a head as the server or the local service wrote it: one to a line, none folded. */
function fieldsOf(head: Buffer, withSecrets: boolean): Field[] {
  const lines = head.toString("latin1").split("\r\n").slice(1);
  return lines.filter(Boolean).map((line) => {
    const colon = line.indexOf(":");
    const [name, value] = [line.slice(0, colon), line.slice(colon + 1).trim()];
    const hidden = !withSecrets && secretName.test(name);
    return { name, value: hidden ? `(hidden, ${value.length} characters)` : value, hidden };
  });
}

/** `isOver`: nothing of the body is missing behind what came. */
function messageOf(head: Buffer, body: KeptBody, isOver: boolean, withSecrets: boolean): Message {
  const text = head.toString("latin1");
  return {
    line: text.slice(0, text.indexOf("\r\n")),
    fields: fieldsOf(head, withSecrets),
    body: bodyOf(head, body, isOver),
  };
}

function bodyOf(head: Buffer, kept: KeptBody, isOver: boolean): Body {
  const fields = fieldsOf(head, true);
  const valueOf = (wanted: string): string =>
    fields
      .filter(({ name }) => name.toLowerCase() === wanted)
      .map(({ value }) => value)
      .join(", ");
  const { bytes, note } = decode(kept.read(), valueOf("content-encoding").toLowerCase());
  // What was decoded of a part may end anywhere.
  const isWhole = note === null && isOver && kept.isWhole;
  const shown = shownBytes(bytes, isWhole, hexBytes);
  const parts = shown.text === null ? formParts(valueOf("content-type"), bytes, isWhole) : null;
  return { bytes: kept.bytes, kept: kept.kept, ...shown, ...(parts === null ? { parts } : { parts, hex: null }), note };
}

function decode(raw: Buffer, coding: string): { bytes: Buffer; note: string | null } {
  if (coding === "" || coding === "identity" || raw.length === 0) return { bytes: raw, note: null };
  const decoder = Object.hasOwn(decoders, coding) ? decoders[coding] : undefined;
  if (decoder === undefined) return { bytes: raw, note: `shown as it is: the coding ${coding} is not known here` };
  try {
    return { bytes: decoder(raw), note: `decoded from ${coding}` };
  } catch (error) {
    const tooLarge = (error as { code?: string }).code === "ERR_BUFFER_TOO_LARGE";
    return {
      bytes: raw,
      note: `shown as it is: ${tooLarge ? "it unpacks to more than 2 MiB" : `it is not ${coding}`}`,
    };
  }
}
