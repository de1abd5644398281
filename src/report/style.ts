/** How many colours the palette has; a chart with more names begins again. */
export const paletteSize = 6

/** The page's style: one column, light or dark as the reader's system is, figures that line up, and readable on paper. */
export const pageStyle = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --paper: #ffffff; --ink: #1b2230; --soft: #5b6678; --line: #e1e5eb; --tint: #eef1f6;
  --accent: #2f5fd0; --good: #0b7a4b; --bad: #b3261e; --shadow: 0 1px 2px rgb(20 30 50 / .06), 0 4px 16px rgb(20 30 50 / .05);
  --series-0: #2f5fd0; --series-1: #d9560b; --series-2: #0b8457; --series-3: #8e3fc4; --series-4: #a87500; --series-5: #0b7f96;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10141b; --paper: #181d26; --ink: #e7ebf2; --soft: #98a3b5; --line: #2a3240; --tint: #202733;
    --accent: #86a8ff; --good: #55cf97; --bad: #ff8a80; --shadow: none;
    --series-0: #86a8ff; --series-1: #ff9d5c; --series-2: #5ad1a0; --series-3: #cf95f5; --series-4: #e6bd55; --series-5: #5fc9de;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; -webkit-text-size-adjust: 100%; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
header { margin-bottom: 36px; padding-top: 14px; border-top: 4px solid var(--accent); }
h1 { margin: 0; font-size: clamp(1.6rem, 4vw, 2.3rem); line-height: 1.2; letter-spacing: -.018em; text-wrap: balance; }
header p { margin: 12px 0 0; max-width: 68ch; color: var(--soft); font-size: 1.06rem; }
section { margin-top: 40px; }
h2 { margin: 0 0 14px; font-size: 1.28rem; letter-spacing: -.01em; }
section > p { max-width: 72ch; margin: 0 0 14px; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .88em; }
p code, dd code { padding: .12em .36em; border-radius: 5px; background: var(--tint); overflow-wrap: anywhere; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 14px; margin: 0 0 20px; padding: 0; list-style: none; }
.card { padding: 16px 18px; border: 1px solid var(--line); border-radius: 12px; background: var(--paper); box-shadow: var(--shadow); }
.card .label { color: var(--soft); font-size: .86rem; }
.card .value { margin-top: 2px; font-size: 1.72rem; font-weight: 650; line-height: 1.25; letter-spacing: -.015em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
.card .note { color: var(--soft); font-size: .84rem; }
.card.good .value { color: var(--good); }
.card.bad .value { color: var(--bad); }
figure { margin: 0 0 20px; padding: 18px 18px 14px; border: 1px solid var(--line); border-radius: 12px; background: var(--paper); box-shadow: var(--shadow); }
figcaption { margin-bottom: 8px; font-weight: 600; }
figure .empty { margin: 0; padding: 44px 12px; border-radius: 8px; background: var(--tint); color: var(--soft); text-align: center; }
figure .gaps { margin: 8px 0 0; color: var(--soft); font-size: .86rem; }
.plot { min-height: 340px; }
.uplot { width: 100%; font-family: inherit; }
.u-legend { display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 8px 0 0 !important; text-align: left !important; font-size: .86rem !important; font-variant-numeric: tabular-nums; }
.u-legend tbody { display: contents; }
.u-legend .u-series { margin: 0; }
.u-legend .u-series > * { padding: 2px 0; }
.u-legend .u-series.faint { display: none; }
.u-legend .u-series th { font-weight: 500; border-radius: 4px; }
.u-legend .u-series:first-child th { color: var(--soft); }
.u-legend .u-series:first-child .u-marker { display: none; }
.u-legend .u-marker { height: 0 !important; width: 22px !important; margin-right: 7px !important; border-width: 3px 0 0 !important; }
.u-legend .u-value { min-width: 3.6em; padding-left: 6px !important; color: var(--soft); }
.u-legend th:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
details { margin-top: 10px; font-size: .9rem; }
summary { cursor: pointer; color: var(--soft); width: fit-content; border-radius: 4px; }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.scroll { overflow-x: auto; margin: 0 0 20px; border: 1px solid var(--line); border-radius: 12px; background: var(--paper); box-shadow: var(--shadow); }
details .scroll { margin: 10px 0 2px; box-shadow: none; border-radius: 8px; }
.scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
table.figures { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .94rem; }
table.figures caption { padding: 14px 16px 4px; text-align: left; font-weight: 600; }
table.figures th, table.figures td { padding: 9px 16px; text-align: left; vertical-align: top; }
table.figures .number { text-align: right; white-space: nowrap; }
table.figures thead th { color: var(--soft); font-size: .84rem; font-weight: 600; border-bottom: 1px solid var(--line); white-space: nowrap; }
table.figures tbody th { font-weight: 500; }
table.figures tbody tr + tr > * { border-top: 1px solid var(--line); }
table.figures tr.strong > * { font-weight: 700; background: var(--tint); }
pre { margin: 0; padding: 14px 16px; overflow-x: auto; line-height: 1.5; }
footer { margin-top: 52px; padding-top: 18px; border-top: 1px solid var(--line); color: var(--soft); font-size: .88rem; }
footer dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 0; }
footer dt { font-weight: 600; }
footer dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 560px) { main { padding: 24px 14px 40px; } figure { padding: 14px 10px 12px; } footer dl { grid-template-columns: 1fr; gap: 0; } footer dd { margin-bottom: 8px; } }
@media print { body { background: none; } .card, figure, .scroll { box-shadow: none; break-inside: avoid; } details { display: none; } }
`.trim()
