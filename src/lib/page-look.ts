// How our few pages outside the dashboard look: errors for visitors and their log-in; one small style, nothing loaded.

/**
 * The style that every such page begins with: colours for light and dark, type, a card, its foot, a button. It goes into one
 * <style> element whose hash the page's CSP names, so whoever adds to it hashes the whole.
 */
export const pageLook = `:root{color-scheme:light dark;--bg:#f8f8fb;--card:#fff;--ink:#1b1b27;--dim:#5f5f6d;--line:#e3e3ea;--edge:#8b8b99;--field:#fff;--accent:#4b4fd3;--on:#fff;--good:#0b8a55;--bad:#c2221f;--glow:#4b4fd31c}
@media(prefers-color-scheme:dark){:root{--bg:#0f0f13;--card:#17171d;--ink:#f0f0f5;--dim:#a2a2af;--line:#2b2b34;--edge:#74747f;--field:#101015;--accent:#8e98ff;--on:#0d0d18;--good:#45c98a;--bad:#ff8d84;--glow:#5a60ff2b}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;min-height:100dvh;display:grid;place-items:center;padding:1.5rem 1rem;background:radial-gradient(60rem 28rem at 50% -10rem,var(--glow),transparent 70%) no-repeat var(--bg);color:var(--ink);font:15px/1.55 ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;-webkit-font-smoothing:antialiased}
main{width:100%;padding:clamp(1.5rem,5vw,2rem);background:var(--card);border:1px solid var(--line);border-radius:14px;box-shadow:0 1px 2px #0000000d,0 12px 32px #00000012}
h1{margin:0 0 .5rem;font-size:1.3rem;line-height:1.35;font-weight:600;letter-spacing:-.015em;text-wrap:balance}
p{margin:0 0 1rem;color:var(--dim);text-wrap:pretty}
code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.94em;user-select:all}
button,.go{display:inline-block;padding:.6rem 1rem;font:inherit;font-weight:550;line-height:1.3;text-align:center;text-decoration:none;color:var(--on);background:var(--accent);border:0;border-radius:9px;cursor:pointer}
button:hover,.go:hover{filter:brightness(1.08)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
footer{margin-top:1.75rem;padding-top:1rem;border-top:1px solid var(--line);color:var(--dim);font-size:.8125rem;overflow-wrap:anywhere}
`;
