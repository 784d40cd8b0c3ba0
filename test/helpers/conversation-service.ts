// The local service's part of generated conversations: it answers as the plan of the request says, byte for byte.

import { answerOf, cut } from "./conversation-bytes.ts";
import { type Ask, chanceOf, isBare, switches } from "./conversation-plan.ts";
import { scripts } from "./local-answers.ts";
import type { LocalExchange } from "./local-service.ts";
import { valuesOf } from "./strict-http.ts";

/** What is being asked, by id: whoever runs conversations adds and removes. */
export const plans = new Map<string, Ask>();

/** Connections, by what tells of their end, that have served their last request and not said so. */
const quitting = new WeakSet<Promise<void>>();

/** `/plan/ID`, whatever follows a slash. */
scripts["plan"] = followPlan;

async function followPlan(exchange: LocalExchange, rest: string): Promise<void> {
  const ask = plans.get(rest.split("/")[0]!);
  if (ask === undefined) throw new Error("nobody has planned this");
  if (switches(ask)) return echo(exchange);
  const { closed } = exchange.request;
  if (quitting.has(closed)) return exchange.close();
  const { interim, when, breaks, pieces, closes, quits, framing } = ask.answer;
  const leave = (how: "reset" | "close"): void => (how === "reset" ? exchange.reset() : exchange.close());
  if (when === "deaf") exchange.onBody(() => new Promise(() => {}));
  if (when === "last") {
    if (valuesOf(exchange.request.fields, "expect").length > 0) await exchange.write("HTTP/1.1 100 Continue\r\n\r\n");
    await exchange.bodyDone;
  }
  for (const lines of interim) await exchange.write(`HTTP/1.1 ${lines}\r\n\r\n`);
  if (breaks?.at === -1) return leave(breaks.how);
  const bytes = answerOf(ask);
  const chance = chanceOf(bytes.length);
  for (const piece of cut(bytes, pieces, chance)) {
    if (chance() < 0.5) await new Promise(setImmediate);
    await exchange.write(piece);
  }
  if (breaks !== null) leave(breaks.how);
  // A close with bytes unread would be a reset.
  else if (when !== "last" && closes) await closed;
  else if (closes || (framing === "close" && !isBare(ask)) || (quits && chance() < 0.5)) exchange.close();
  else if (quits) quitting.add(closed);
}

async function echo(exchange: LocalExchange): Promise<void> {
  exchange.onBody((bytes) => exchange.write(bytes));
  exchange.goRaw(() => exchange.close());
  await exchange.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  await exchange.request.closed;
}
