// Everybody who takes part, in the order of the tables.

import { bore } from "./bore.ts";
import { chisel } from "./chisel.ts";
import { digitLink, digitLinkPiped, digitLinkShardPorts, digitLinkTwoShards } from "./digit-link.ts";
import { direct } from "./direct.ts";
import { frpHttp, frpTcp } from "./frp.ts";
import { localtunnel } from "./localtunnel.ts";
import { nginx } from "./nginx.ts";
import type { Party } from "./party.ts";
import { piko } from "./piko.ts";
import { rathole } from "./rathole.ts";
import { ssh } from "./ssh.ts";

export const allParties: readonly Party[] = [
  direct,
  nginx,
  digitLink,
  digitLinkShardPorts,
  digitLinkPiped,
  digitLinkTwoShards,
  rathole,
  bore,
  ssh,
  localtunnel,
  frpTcp,
  frpHttp,
  chisel,
  piko,
];
