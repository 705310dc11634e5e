/// How the page looks: two themes of one palette, a table that becomes cards on a narrow screen, and the system's own fonts.
///
/// Each text has a contrast of at least 4.5 to 1 with what lies under it, in both themes.
enum PageStyle {
  static let text = """
    :root{color-scheme:light dark;--bg:#f4f6f7;--card:#fff;--text:#16242b;--dim:#51636c;--line:#d9e0e3;--soft:#eef2f4;
    --accent:#0b6477;--on:#fff;--ok:#17693f;--okbg:#e2f3e9;--warn:#7a4a00;--warnbg:#fdf1d8;--bad:#a3201a;--badbg:#fce7e5;--amber:#b7791f}
    @media(prefers-color-scheme:dark){:root{--bg:#0e1619;--card:#162024;--text:#e4ecef;--dim:#9db0b8;--line:#2a383e;
    --soft:#1d2a2f;--accent:#67c9de;--on:#05242b;--ok:#74d6a0;--okbg:#12301f;--warn:#f0c274;--warnbg:#35280d;--bad:#ff9d94;--badbg:#3a1614;--amber:#f0c274}}
    *{box-sizing:border-box}
    body{margin:0;background:var(--bg);color:var(--text);font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
    .wrap{max-width:70rem;margin:0 auto;padding:0 1rem}
    header{background:var(--card);border-bottom:1px solid var(--line);padding:1.25rem 0}
    header .wrap{display:flex;flex-wrap:wrap;align-items:center;gap:.5rem 1rem}
    header svg{width:2.5rem;height:2.5rem;flex:none;color:var(--accent)}
    h1{font-size:1.375rem;line-height:1.25;margin:0;font-weight:650}
    h1 small{display:block;font-size:.8125rem;font-weight:400;color:var(--dim)}
    .state{margin:0 0 0 auto;display:flex;gap:.5rem;align-items:center;flex-wrap:wrap}
    h2{font-size:1.0625rem;margin:0;font-weight:650}
    section{background:var(--card);border:1px solid var(--line);border-radius:.625rem;margin:1rem 0;padding:1.125rem}
    section>p{margin:.375rem 0 0;color:var(--dim)}#problems p{color:var(--text)}
    .bar{display:flex;flex-wrap:wrap;align-items:baseline;justify-content:space-between;gap:.25rem 1rem}
    .bar p{margin:0;color:var(--dim);font-size:.875rem}
    .badge{display:inline-block;border-radius:1rem;padding:.0625rem .625rem;font-size:.8125rem;font-weight:600;white-space:nowrap;
    background:var(--soft);color:var(--text)}
    .ok{background:var(--okbg);color:var(--ok)}.warn{background:var(--warnbg);color:var(--warn)}.bad{background:var(--badbg);color:var(--bad)}
    .facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(7rem,1fr));gap:1rem;margin:0 0 1.125rem}
    .facts dt{font-size:.8125rem;color:var(--dim)}
    .facts dd{margin:0;font-size:1.25rem;font-weight:600;line-height:1.35}
    .facts dd small,td small{display:block;font-size:.8125rem;font-weight:400;color:var(--dim);line-height:1.4}
    a{color:var(--accent)}
    #live:empty{display:none}
    :focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:.25rem}
    .button{display:inline-block;background:var(--accent);color:var(--on);text-decoration:none;font-weight:600;border-radius:.5rem;
    padding:.5rem 1rem;border:1px solid var(--accent)}
    .button:hover{filter:brightness(1.08)}
    .small{background:none;color:var(--accent);padding:.1875rem .625rem;font-size:.875rem}
    .get{display:flex;flex-wrap:wrap;gap:.75rem 1rem;align-items:center}
    pre{margin:0;background:var(--soft);border-radius:.5rem;padding:.5rem .75rem;white-space:pre-wrap;overflow-wrap:anywhere;
    font:.8125rem/1.5 ui-monospace,monospace;user-select:all}
    .get pre{flex:1 1 20rem;min-width:0}
    table{width:100%;border-collapse:collapse;margin-top:.75rem}
    caption{text-align:left;color:var(--dim);font-size:.875rem;padding-bottom:.375rem}h2.vh+table{margin-top:0}
    th{text-align:left;font-size:.8125rem;color:var(--dim);font-weight:500;border-bottom:1px solid var(--line);padding:.25rem 1.25rem .25rem 0}
    td,tbody th{vertical-align:top;border-bottom:1px solid var(--line);padding:.5625rem 1.25rem .5625rem 0}
    tbody th{min-width:9rem;font-weight:600;color:var(--text);font-size:1rem}
    tbody tr:last-child>*{border-bottom:0}
    td.n,th.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
    td{overflow-wrap:break-word}td.word,thead th{white-space:nowrap}td.wide{overflow-wrap:anywhere;min-width:12rem}#under-way tbody th{min-width:11.5rem}
    td:last-child,th:last-child{padding-right:0}
    td.act{text-align:right}
    td.act div{display:flex;gap:.375rem .75rem;align-items:baseline;justify-content:flex-end;flex-wrap:wrap}
    details summary{cursor:pointer;color:var(--accent);font-size:.875rem}
    details[open]{flex-basis:100%;min-width:8rem;text-align:left}
    #h-all{margin-top:.75rem}
    details pre{margin-top:.375rem;max-width:30rem;margin-left:auto}
    progress{width:100%;height:.625rem;display:block;margin:.4375rem 0 .25rem;accent-color:var(--accent)}
    .charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(14rem,1fr));gap:1rem 1.5rem;margin-top:.75rem}
    figure{margin:0}figcaption{font-weight:600;font-size:.875rem;display:flex;justify-content:space-between;gap:1rem}
    figcaption small{font-weight:400;color:var(--dim)}
    .chart{display:block;width:100%;height:4.5rem;margin-top:.375rem}
    .chart .base{stroke:var(--line);stroke-width:1}
    .chart .v{fill:var(--accent)}.chart .s{fill:none;stroke:var(--accent);vector-effect:non-scaling-stroke}.chart .f{fill:var(--bad)}.chart .i{fill:var(--amber)}
    .key{display:flex;flex-wrap:wrap;gap:.25rem 1rem;list-style:none;margin:.5rem 0 0;padding:0;font-size:.8125rem;color:var(--dim)}
    .key li::before{content:"";display:inline-block;width:.625rem;height:.625rem;border-radius:2px;margin-right:.375rem;background:var(--accent)}
    .key .s::before{background:none;box-shadow:inset 0 0 0 1px var(--accent)}.key .i::before{background:var(--amber)}.key .f::before{background:var(--bad)}
    nav{margin-top:.875rem;display:flex;gap:.75rem;flex-wrap:wrap;justify-content:space-between;align-items:baseline}
    footer{color:var(--dim);font-size:.875rem;padding:.25rem 0 2rem}
    footer .wrap{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}
    .vh,.skip:not(:focus){position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
    .skip:focus{position:absolute;left:1rem;top:.5rem;background:var(--card);padding:.5rem}
    @media(min-width:62rem){td time,td time+small{white-space:nowrap}td.act{min-width:11.5rem}}
    @media(max-width:49rem){
    thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
    table,tbody,caption{display:block}
    tbody tr{display:grid;grid-template-columns:1fr 1fr;gap:.25rem 1rem;padding:.75rem 0;border-bottom:1px solid var(--line)}
    tbody tr:last-child{border-bottom:0;padding-bottom:0}
    tbody tr>*,tbody tr:last-child>*{display:block;border:0;padding:0}
    tbody th,td.act,td.wide{grid-column:1/-1}
    td.n{text-align:left;white-space:normal}td.word{grid-column:1/-1}
    td[data-l]::before{content:attr(data-l);display:block;font-size:.8125rem;color:var(--dim)}
    td.act div{justify-content:flex-start}td.act{text-align:left}details pre{margin-left:0;max-width:none}
    .state{margin:0}section{padding:1rem}}
    @media(prefers-reduced-motion:no-preference){.button{transition:filter .15s}}
    """
}
