// Entry of the inspector's page: styles, theme, the page.

import "../src/styles/fonts.css";
import "../src/styles/tokens.css";
import "../src/styles/base.css";
import "../src/styles/buttons.css";
import "../src/styles/fields.css";
import "../src/styles/choices.css";
import "../src/styles/cards.css";
import "../src/styles/overlays.css";
import "../src/styles/notes.css";
import "../src/styles/toolbar.css";
import "../src/styles/table.css";
import "../src/styles/state.css";
import "../src/styles/pages.css";
import "../src/styles/requests.css";
import "../src/styles/forced-colors.css";
import "./inspector.css";
import { render } from "solid-js/web";
import { isDialogOpen } from "../src/ui/dialog.tsx";
import { startTheme } from "../src/ui/theme.ts";
import { ToastHost } from "../src/ui/toast.tsx";
import { Inspector } from "./inspector.tsx";

startTheme();
// Another key is another agent's.
window.addEventListener("hashchange", () => location.reload());

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
render(
  () => (
    <>
      <Inspector />
      <ToastHost here={!isDialogOpen()} />
    </>
  ),
  root,
);
