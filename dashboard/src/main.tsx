// Entry of the dashboard: styles, theme, router.

import "./styles/fonts.css";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/shell.css";
import "./styles/page.css";
import "./styles/gate.css";
import "./styles/buttons.css";
import "./styles/fields.css";
import "./styles/choices.css";
import "./styles/cards.css";
import "./styles/overlays.css";
import "./styles/notes.css";
import "./styles/toolbar.css";
import "./styles/table.css";
import "./styles/table-cards.css";
import "./styles/combobox.css";
import "./styles/state.css";
import "./styles/numbers.css";
import "./styles/pages.css";
import "./styles/requests.css";
import "./styles/forced-colors.css";
import { render } from "solid-js/web";
import { App } from "./app.tsx";
import { startTheme } from "./ui/theme.ts";

startTheme();

const root = document.getElementById("root");
if (root === null) throw new Error("index.html has no #root");
render(() => <App />, root);
