// What tests of logins begin with: a database per engine, and for each test an API with its own limiter and clock, and a name.

import { afterAll, beforeAll, beforeEach } from "bun:test";
import { createTestApi, type TestAnswer, type TestApi } from "./api.ts";
import { describeEngines, type TestDatabase } from "./databases.ts";

export interface LoginTests {
  /** It stays from test to test, so every test has names of its own. */
  readonly database: TestDatabase;
  /** New for each test; a test may put another one here. */
  api: TestApi;
  /** Nobody's yet. */
  readonly name: string;
  tryLogin(username: string, password: string, address?: string): Promise<TestAnswer>;
}

/** Declares `body` on both engines; what it is given is filled in when a test runs. */
export function describeLogins(what: string, body: (at: LoginTests) => void): void {
  describeEngines(what, (open) => {
    let database: TestDatabase;
    let api: TestApi;
    let count = 0;
    beforeAll(async () => {
      database = await open();
    });
    afterAll(async () => database[Symbol.asyncDispose]());
    beforeEach(() => {
      api = createTestApi(database);
      count++;
    });
    body({
      get database() {
        return database;
      },
      get api() {
        return api;
      },
      set api(other) {
        api = other;
      },
      get name() {
        return `person${count}`;
      },
      tryLogin: (username, password, address) =>
        api.call("POST", "/auth/login", {
          body: { username, password },
          ...(address === undefined ? {} : { address }),
        }),
    });
  });
}
