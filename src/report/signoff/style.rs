//! How the report looks: quiet, light and dark, on a phone and on A4. Every colour of text stands against its ground at 4.5 to 1 or better.

/// The style sheet. It names no outside resource.
pub(super) const STYLE: &str = "
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#57606a;--paper:#fff;--line:#d0d7de;--mark:#f6f8fa;--good:#1a7f37;--bad:#b42318;--warn:#8a5a00;--bar:#3d6b99;--soft:#c5d5e6}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#9aa4ae;--paper:#0d1117;--line:#3d444d;--mark:#151b23;--good:#3fb950;--bad:#f97066;--warn:#d9a53b;--bar:#6f9fcf;--soft:#2b4055}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1.5rem 1.25rem 3rem;max-width:66rem;font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
h1{font-size:1.6rem;line-height:1.25;margin:0 0 .25rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.75rem 0 .5rem;padding-top:.6rem;border-top:1px solid var(--line);overflow-wrap:anywhere}
h3{font-size:1rem;margin:1.75rem 0 .25rem;overflow-wrap:anywhere}
p,li{overflow-wrap:anywhere;max-width:46rem}p{margin:.5rem 0}ul{padding-left:1.2rem}code{font-size:.9em}
.dim{color:var(--dim);font-size:.9rem}
.verdict{max-width:none;border-left:.4rem solid var(--warn);background:var(--mark);padding:.9rem 1.1rem;margin:1.25rem 0 .75rem;font-size:1.15rem;line-height:1.5}
.verdict strong{display:block;font-size:.95rem;letter-spacing:.02em;color:var(--warn)}
.verdict.proven{border-color:var(--good)}.verdict.proven strong{color:var(--good)}
.verdict.wrong{border-color:var(--bad)}.verdict.wrong strong{color:var(--bad)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.75rem;margin:1.25rem 0;padding:0;list-style:none}
.figures li{border:1px solid var(--line);padding:.6rem .8rem}.figures b{display:block;font-size:1.4rem;font-weight:600;font-variant-numeric:tabular-nums}
.figures span{color:var(--dim);font-size:.85rem}
.wide{overflow-x:auto;margin:.5rem 0 1rem}
table{border-collapse:collapse;width:100%;font-size:.875rem;line-height:1.4;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--dim);padding:.25rem 0}
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;unicode-bidi:isolate}
thead th{color:var(--dim);font-weight:600;vertical-align:bottom;border-bottom:2px solid var(--line)}
tbody th{font-weight:400;min-width:9rem;overflow-wrap:anywhere}
td.w{min-width:7rem;overflow-wrap:anywhere}.n{text-align:right;white-space:nowrap}thead .n{white-space:normal}
tr.sum>*{font-weight:600;border-bottom:0}
.picture{margin:1rem 0}.picture ol{list-style:none;margin:0;padding:0}
.picture li{display:grid;grid-template-columns:minmax(0,19rem) minmax(0,1fr);gap:.1rem 1rem;padding:.4rem 0;max-width:none;align-items:center}
.picture li>span{font-size:.875rem}.picture small{display:block;color:var(--dim);font-size:.8rem}
.picture svg{display:block;width:100%;overflow:visible}
.frame{fill:none;stroke:var(--dim);stroke-width:1}.solid{fill:var(--bar)}.pale{fill:var(--soft)}.line{stroke:var(--bar);stroke-width:1.6;fill:none}.dot{fill:var(--bar)}
.ground{fill:var(--paper)}.edge{stroke:var(--paper);stroke-width:1}.alarm{fill:var(--bad)}
.key{list-style:none;padding:0;margin:.5rem 0;display:flex;flex-wrap:wrap;gap:.3rem 1.1rem;font-size:.85rem;color:var(--dim)}
.key li{display:flex;align-items:center;gap:.4rem}.key svg{width:1.4rem;height:.9rem;flex:none}
pre{white-space:pre-wrap;overflow-wrap:anywhere;font-size:.8rem;background:var(--mark);padding:.75rem 1rem}
:focus-visible{outline:2px solid var(--bar)}
@media(max-width:40rem){body{padding:1rem 1rem 2rem}.picture li{grid-template-columns:minmax(0,1fr)}}
@media print{@page{size:A4;margin:16mm 14mm;@bottom-right{content:counter(page) ' of ' counter(pages);font:8pt sans-serif;color:#444}}
:root{color-scheme:light;--ink:#000;--dim:#444;--paper:#fff;--line:#bbb;--mark:#f4f4f4;--good:#1a7f37;--bad:#b42318;--warn:#7a5000;--bar:#3d6b99;--soft:#c5d5e6}
body{max-width:none;padding:0;font-size:9.5pt;line-height:1.4;-webkit-print-color-adjust:exact;print-color-adjust:exact}
html{font-size:12.5px}p,li{max-width:none}.wide{overflow:visible}table{font-size:7.5pt}th,td{padding:.2rem .35rem}tbody th,td.w{min-width:5.2rem}.n{overflow-wrap:normal}
.picture li{grid-template-columns:minmax(0,16rem) minmax(0,1fr)}
tr,li,.verdict,.figures{break-inside:avoid}h1,h2,h3{break-after:avoid}h2{margin-top:1.5rem}p,ul{orphans:3;widows:3}}
";
