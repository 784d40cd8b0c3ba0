// Bodies that an operation must refuse, made from the schema that the OpenAPI document gives it.

export interface Schema {
  type?: string;
  nullable?: boolean;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: string[];
  minLength?: number;
  maxLength?: number;
  minimum?: number;
  maximum?: number;
  maxItems?: number;
}

export interface BadBody {
  what: string;
  body: unknown;
  /** The field that the refusal must name: a path, or `body` for all of it. */
  field: string;
}

/** Stands in every text of the bodies: no answer may hold it. */
export const planted = "planted";

/** Fits the schema of a value, as far as a schema tells. */
function sampleOf({ type, enum: options, minLength = 1, maxLength = 40, minimum = 1 }: Schema): unknown {
  if (options !== undefined) return options[0];
  if (type === "string") return planted.repeat(minLength).slice(0, Math.max(minLength, Math.min(maxLength, 12)));
  if (type === "integer" || type === "number") return minimum;
  if (type === "boolean") return true;
  return type === "array" ? [] : {};
}

/** One thing wrong in each: a type, a bound, a field too few or too many. */
export function badBodies(schema: Schema): BadBody[] {
  const { properties = {}, required = [] } = schema;
  const base = Object.fromEntries(required.map((name) => [name, sampleOf(properties[name]!)]));
  const whole = [[], null, planted, 7, [base]].map((body) => ({ what: JSON.stringify(body), body, field: "body" }));
  const without = required.map((field) => {
    const { [field]: _, ...body } = base;
    return { what: `no ${field}`, body, field };
  });
  const wrong = Object.entries(properties).flatMap(([name, property]) =>
    badValues(property).map(({ what, value, at }) => ({
      what: `${name}: ${what}`,
      body: { ...base, [name]: value },
      field: at === undefined ? name : `${name}.${at}`,
    })),
  );
  const extra = { what: "a field too many", body: { ...base, notAField: planted }, field: "notAField" };
  return [...whole, ...without, extra, ...wrong];
}

interface BadValue {
  what: string;
  value: unknown;
  /** Where inside the value. */
  at?: number;
}

function badValues(schema: Schema): BadValue[] {
  const { type, nullable, enum: options, minLength = 0, maxLength, minimum, maximum, maxItems, items } = schema;
  const values: BadValue[] = nullable === true ? [] : [{ what: "null", value: null }];
  if (type !== "string") {
    values.push({ what: "text", value: planted }, { what: "itself in text", value: JSON.stringify(sampleOf(schema)) });
  }
  if (type !== "integer" && type !== "number") values.push({ what: "a number", value: 7 });
  if (type !== "boolean") values.push({ what: "a boolean", value: true });
  if (type !== "array") values.push({ what: "a list", value: [planted] });
  if (type !== "object") values.push({ what: "an object", value: { [planted]: planted } });
  if (options !== undefined) values.push({ what: "none of the options", value: planted });
  if (maxLength !== undefined)
    values.push({ what: "too long", value: planted.repeat(maxLength).slice(0, maxLength + 1) });
  if (minLength > 0) values.push({ what: "too short", value: planted.repeat(minLength).slice(0, minLength - 1) });
  if (type === "integer") values.push({ what: "a fraction", value: (minimum ?? 1) + 0.5 });
  if (minimum !== undefined) values.push({ what: "too small", value: minimum - 1 });
  if (maximum !== undefined) values.push({ what: "too large", value: maximum + 1 }, { what: "huge", value: 1e300 });
  if (items !== undefined) {
    if (maxItems !== undefined)
      values.push({ what: "too many", value: Array.from({ length: maxItems + 1 }, () => sampleOf(items)) });
    for (const { what, value } of badValues(items))
      values.push({ what: `an entry is ${what}`, value: [sampleOf(items), value], at: 1 });
  }
  return values;
}
