// What can be done to a tunnel, wherever it is shown.

import { checkTunnel, clearTunnel, disconnectTunnel } from "../../api/changes.ts";
import type { Tunnel } from "../../api/types.ts";
import { confirm } from "../../ui/confirm.tsx";
import { copy } from "../../ui/copy.tsx";
import type { MenuItem } from "../../ui/menu.tsx";
import { formatDuration } from "../../ui/format.ts";
import { attempt, toast } from "../../ui/toast.tsx";

/** Asks the agent to try its local service now, and tells the answer. */
export async function checkNow(tunnel: Tunnel): Promise<void> {
  await attempt(async () => {
    const { local } = await checkTunnel(tunnel.id);
    if (local?.state === "up") {
      toast(
        `The local service of ${tunnel.subdomain} answered${local.connectMs !== null ? ` in ${formatDuration(local.connectMs)}` : ""}.`,
      );
    } else if (local?.state === "down") {
      toast(`The local service of ${tunnel.subdomain} does not answer: ${local.why ?? "no reason given"}.`, "bad");
    } else {
      toast("The agent did not answer the check.", "bad");
    }
  });
}

export function askDisconnect(tunnel: Tunnel): void {
  confirm({
    title: `Disconnect ${tunnel.subdomain}?`,
    consequence:
      "All its sessions are closed at once and requests in flight are cut. The agent is told so and gives the tunnel up; whoever runs it may start it again while its credential and the whitelist allow it.",
    action: "Disconnect",
    done: `${tunnel.subdomain} was disconnected.`,
    run: () => disconnectTunnel(tunnel.id),
  });
}

export function askClear(tunnel: Tunnel, after?: () => void): void {
  confirm({
    title: `Clear ${tunnel.subdomain}?`,
    consequence:
      "It leaves the list for everybody. A name that was still held for its agent is free at once. If the agent comes back and still may, it shows up again.",
    action: "Clear",
    done: `${tunnel.subdomain} was cleared.`,
    run: () => clearTunnel(tunnel.id),
    ...(after === undefined ? {} : { after }),
  });
}

/** The menu of one tunnel. `onServer`: the server lists it; a row that only this page still shows is merely hidden. */
export function tunnelMenu(
  tunnel: Tunnel,
  { mayManage, onServer, onHide }: { mayManage: boolean; onServer: boolean; onHide: () => void },
): MenuItem[] {
  if (!tunnel.connected) {
    return [
      { label: "Hide this row", icon: "eyeOff", onSelect: onHide },
      ...(mayManage && onServer
        ? [{ label: "Clear…", icon: "trash" as const, danger: true, onSelect: () => askClear(tunnel, onHide) }]
        : []),
    ];
  }
  return [
    { label: "Check the service now", icon: "pulse", onSelect: () => void checkNow(tunnel) },
    {
      label: "Copy the URL",
      icon: "copy",
      onSelect: () => void copy(tunnel.url, "URL").then((ok) => ok && toast("Copied.")),
    },
    ...(mayManage
      ? [
          {
            label: "Disconnect",
            icon: "plug" as const,
            danger: true,
            apart: true,
            onSelect: () => askDisconnect(tunnel),
          },
        ]
      : []),
  ];
}
