// A visitor's request for the judge, read from its head.

import { ACCESS_CONTROL_REQUEST_METHOD, ORIGIN } from "../../src/http1/fields.ts";
import type { Head } from "../../src/http1/head.ts";
import { authPathStart, isAuthPath } from "../../src/policy/paths.ts";
import type { Shown } from "./shown.ts";
import type { VisitorRequest } from "./verdict.ts";

/** Valid as long as `head`. Of most requests neither method nor target is asked for, so no strings are made of them. */
export class HeadRequest implements VisitorRequest {
  constructor(
    private readonly head: Head,
    readonly shown: Shown,
    readonly address: string,
    readonly network: string | null,
    readonly wantsHtml: boolean,
  ) {}

  get method(): string {
    return this.head.method;
  }

  get target(): string {
    return this.head.target;
  }

  get isOurs(): boolean {
    const { bytes, targetStart } = this.head;
    for (let i = 0; i < authPathStart.length; i++)
      if (bytes[targetStart + i] !== authPathStart.charCodeAt(i)) return false;
    return isAuthPath(this.target);
  }

  get isPreflight(): boolean {
    const { head } = this;
    return head.method === "OPTIONS" && head.only(ORIGIN) !== null && head.only(ACCESS_CONTROL_REQUEST_METHOD) !== null;
  }
}
