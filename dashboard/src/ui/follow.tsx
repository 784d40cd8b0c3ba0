// Following: the one toggle of every live list, the button that shows what waits, and the rule when a list may move.

import { createSignal, Show, type Accessor, type JSX } from "solid-js";
import { Button } from "./button.tsx";
import { Switch } from "./choice.tsx";
import { formatCount } from "./format.ts";
import { useShortcut } from "./shortcuts.tsx";

export interface Follow {
  /** New rows come in by themselves, except into a list that somebody is reading. Off: every list of the page stands still. */
  following: Accessor<boolean>;
  setFollowing: (on: boolean) => void;
  /** Why it can't be on now; null when it can. */
  why: Accessor<string | null>;
}

/** The Follow of the calling page, which the space bar turns on and off. */
export function createFollow(initially = true, why: Accessor<string | null> = () => null): Follow {
  const [wished, setFollowing] = createSignal(initially);
  const following = () => wished() && why() === null;
  useShortcut({
    key: " ",
    shown: "Space",
    text: "Follow, or let lists stand still",
    run: () => why() === null && setFollowing(!wished()),
  });
  return { following, setFollowing, why };
}

export function FollowSwitch(props: { follow: Follow }): JSX.Element {
  return (
    <span class="follow">
      <Show when={props.follow.why()}>{(why) => <span class="follow-why">{why()}</span>}</Show>
      <Switch
        label="Follow"
        checked={props.follow.following()}
        disabled={props.follow.why() !== null}
        onChecked={props.follow.setFollowing}
      />
    </span>
  );
}

/**
 * "Show 3 new tunnels", while any wait, and `children` else. `more`: there are more of them than are known; `others`: some may
 * be old and only new to this page. It has its place even when there is nothing to show, because a list that moves when the
 * button comes has moved under the reader.
 */
export function ShowNew(props: {
  waiting: number;
  one: string;
  more?: boolean;
  others?: boolean;
  onShow: () => void;
  children?: JSX.Element;
}): JSX.Element {
  return (
    <span class="show-new">
      <Show when={props.waiting > 0} fallback={props.children}>
        <Button small icon="up" onClick={props.onShow}>
          <span>
            <span class="on-desk">Show </span>
            {props.more && !props.others
              ? "the newest"
              : `${formatCount(props.waiting)} ${props.others ? "other" : "new"}`}
            <span class="on-desk"> {props.waiting === 1 ? props.one : `${props.one}s`}</span>
          </span>
        </Button>
      </Show>
    </span>
  );
}
