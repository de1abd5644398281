/** What the page of an inspection adds to the style of reports: two panes that fill the window, the colours of tokens, the list of places. */
export const inspectionStyle = `
:root {
  --g1: #dff3e6; --g2: #b5e5c6; --g3: #7fd09d; --g4: #45b574; --l1: #fdeadb; --l2: #fbd0ae; --l3: #f5ab74; --l4: #e8853c;
  --n1: #e6ecf9; --n2: #c6d4f4; --n3: #9db6ec; --n4: #7398e2; --mark: #ffe27a; --on-mark: #1b2230; --rule: #c3cbd8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --g1: #16301f; --g2: #17482a; --g3: #18663a; --g4: #18844a; --l1: #38240f; --l2: #573411; --l3: #7c4712; --l4: #a35a10;
    --n1: #1b2740; --n2: #22365f; --n3: #2a4786; --n4: #3359ad; --mark: #ffd75e; --on-mark: #1b2230; --rule: #3a4557;
  }
}
html, body { height: 100%; }
body { display: flex; flex-direction: column; font-size: 15px; line-height: 1.5; overflow: hidden; }
.top { flex: none; margin: 0; padding: 12px 20px 10px; border-top: 4px solid var(--accent); border-bottom: 1px solid var(--line); background: var(--paper); display: flex; flex-wrap: wrap; gap: 8px 28px; align-items: center; justify-content: space-between; }
.top > div { flex: 1 1 280px; min-width: 0; }
.top h1 { font-size: 1.18rem; overflow-wrap: anywhere; }
.top p { margin: 2px 0 0; font-size: .86rem; color: var(--soft); max-width: none; }
.figures-row { display: flex; flex-wrap: wrap; gap: 4px 22px; margin: 0; padding: 0; list-style: none; font-variant-numeric: tabular-nums; }
.figures-row li { min-width: 84px; }
.figures-row .label { font-size: .78rem; color: var(--soft); }
.figures-row .value { font-size: 1.22rem; font-weight: 650; line-height: 1.25; }
.figures-row .good { color: var(--good); } .figures-row .bad { color: var(--bad); }
.tools { flex: none; display: flex; flex-wrap: wrap; gap: 6px 22px; align-items: center; padding: 7px 20px; border-bottom: 1px solid var(--line); font-size: .84rem; }
.tools label { color: var(--soft); }
.tools select, .tools input, .panel select { font: inherit; color: var(--ink); background: var(--paper); border: 1px solid var(--rule); border-radius: 6px; padding: 2px 8px; }
.tools input { width: 15em; }
.legend { display: flex; align-items: center; gap: 8px; color: var(--soft); }
.legend span.step { display: inline-block; min-width: 30px; padding: 0 5px; text-align: center; border-radius: 3px; color: var(--ink); font-size: .76rem; line-height: 1.6; font-variant-numeric: tabular-nums; }
.legend .steps { display: inline-flex; gap: 2px; }
.panes { flex: 1; min-height: 0; display: grid; grid-template-columns: minmax(0, 1fr) minmax(340px, 33%); max-width: none; margin: 0; padding: 0; }
.reader { position: relative; min-width: 0; min-height: 0; display: flex; }
#document { flex: 1; min-width: 0; position: relative; overflow: auto; background: var(--paper); font: 13px/20px ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; tab-size: 4; outline-offset: -3px; scrollbar-width: thin; }
#document:focus-visible, .panel:focus-visible, button:focus-visible, [role=tabpanel]:focus-visible { outline: 2px solid var(--accent); }
#space { position: relative; min-width: 100%; width: max-content; }
.row { position: absolute; left: 0; height: 20px; padding-left: 9ch; white-space: pre; }
.row::before { content: attr(data-place); position: absolute; left: 0; width: 7.5ch; text-align: right; color: var(--soft); opacity: .65; font-size: 11px; }
.t { cursor: pointer; border-radius: 2px; padding: 2px 0; }
.t.faint { color: var(--soft); opacity: .6; }
.t:hover { box-shadow: 0 0 0 1px var(--soft); }
.t.place { box-shadow: 0 0 0 1.5px var(--accent); }
.t.chosen { background: var(--mark) !important; color: var(--on-mark) !important; opacity: 1; box-shadow: 0 0 0 2px var(--ink); }
.t.here { animation: here 1.6s ease-out; }
@keyframes here { from { box-shadow: 0 0 0 7px var(--accent); } }
@media (prefers-reduced-motion: reduce) { .t.here { animation: none; box-shadow: 0 0 0 3px var(--accent); } }
.g1 { background: var(--g1); } .g2 { background: var(--g2); } .g3 { background: var(--g3); } .g4 { background: var(--g4); }
.l1 { background: var(--l1); } .l2 { background: var(--l2); } .l3 { background: var(--l3); } .l4 { background: var(--l4); }
.n1 { background: var(--n1); } .n2 { background: var(--n2); } .n3 { background: var(--n3); } .n4 { background: var(--n4); }
#overview { flex: none; width: 22px; height: 100%; cursor: pointer; border-left: 1px solid var(--line); }
.panel { min-width: 0; min-height: 0; display: flex; flex-direction: column; border-left: 1px solid var(--line); }
[role=tablist] { flex: none; display: flex; flex-wrap: wrap; gap: 2px; padding: 6px 12px 0; border-bottom: 1px solid var(--line); }
[role=tab] { font: inherit; font-size: .84rem; padding: 6px 7px; border: 0; border-bottom: 3px solid transparent; background: none; color: var(--soft); cursor: pointer; }
[role=tab][aria-selected=true] { color: var(--ink); font-weight: 600; border-color: var(--accent); }
[role=tabpanel] { flex: 1; min-height: 0; overflow: auto; padding: 14px 16px 32px; }
[role=tabpanel][hidden] { display: none; }
.panel h2 { margin: 0 0 8px; font-size: 1.02rem; }
.panel h3 { margin: 18px 0 6px; font-size: .9rem; display: flex; justify-content: space-between; gap: 10px; }
.panel h3 small { font-weight: 400; color: var(--soft); }
.panel p { margin: 0 0 10px; font-size: .9rem; }
.panel .soft { color: var(--soft); }
.token { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; padding: 1px 5px; border-radius: 4px; background: var(--mark); color: var(--on-mark); white-space: pre-wrap; overflow-wrap: anywhere; }
.losses { display: grid; grid-template-columns: repeat(3, 1fr); gap: 8px; margin: 10px 0 12px; padding: 0; list-style: none; font-variant-numeric: tabular-nums; }
.losses li { padding: 7px 10px; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); }
.losses b { display: block; font-size: 1.08rem; line-height: 1.3; } .losses span { display: block; font-size: .76rem; line-height: 1.3; color: var(--soft); }
.losses .good b { color: var(--good); } .losses .bad b { color: var(--bad); }
.choose { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: center; margin: 8px 0 0; font-size: .84rem; }
.choose button, .back { font: inherit; font-size: .84rem; padding: 2px 9px; border: 1px solid var(--rule); border-radius: 999px; background: var(--paper); color: var(--ink); cursor: pointer; }
.choose button[aria-pressed=true] { background: var(--accent); border-color: var(--accent); color: var(--paper); }
.places { margin: 0; padding: 0; list-style: none; }
.places button { display: block; width: 100%; margin: 0 0 4px; padding: 5px 9px 6px; text-align: left; font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 7px; cursor: pointer; }
.places button:hover { border-color: var(--accent); }
.places .facts { display: flex; justify-content: space-between; gap: 12px; font-size: .78rem; color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap; }
.places .bar { display: inline-block; width: 54px; height: 7px; margin-right: 7px; border-radius: 3px; background: var(--tint); vertical-align: 1px; }
.places .bar i { display: block; height: 100%; border-radius: 3px; background: var(--accent); }
.places code { display: block; margin-top: 1px; font-size: 12px; line-height: 1.45; white-space: pre-wrap; overflow-wrap: anywhere; }
.places mark, .context mark { background: var(--mark); color: var(--on-mark); border-radius: 2px; }
.context { font: 12px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; white-space: pre-wrap; overflow-wrap: anywhere; padding: 7px 9px; border-radius: 7px; background: var(--tint); }
.gates { width: 100%; border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
.gates th { text-align: left; font-weight: 500; padding: 4px 8px 4px 0; white-space: nowrap; }
.gates td { padding: 4px 0; } .gates td:last-child { text-align: right; padding-left: 10px; }
.gates .bar { display: block; height: 10px; border-radius: 4px; background: var(--tint); } .gates .bar i { display: block; height: 100%; border-radius: 4px; background: var(--accent); }
.panel .scroll { margin-bottom: 14px; box-shadow: none; } .panel table.figures th, .panel table.figures td { padding: 4px 8px; font-size: .8rem; } .panel table.figures thead th { white-space: normal; vertical-align: bottom; line-height: 1.25; } .panel table.figures tbody th { white-space: nowrap; }
.panel h2:not(:first-child) { margin-top: 22px; }
.panel dl { font-size: .88rem; margin: 0; } .panel dt { font-weight: 600; margin-top: 10px; } .panel dd { margin: 2px 0 0; overflow-wrap: anywhere; }
kbd { font: 12px ui-monospace, monospace; padding: 1px 5px; border: 1px solid var(--rule); border-radius: 4px; background: var(--tint); }
.said { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 820px) {
  .panes { grid-template-columns: minmax(0, 1fr); grid-template-rows: minmax(0, 55fr) minmax(0, 45fr); }
  .panel { border-left: 0; border-top: 2px solid var(--line); } .tools .legend { display: none; } .top { padding: 8px 12px; } .tools { padding: 6px 12px; }
}
`.trim()
