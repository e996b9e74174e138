"""The parts of a self-contained HTML page: style, tiles, tables, tags. Every text is escaped unless it is Markup made here."""
import html
import math

STYLE = """
:root{color-scheme:light dark;--bg:#f5f6f8;--card:#fff;--ink:#18202c;--soft:#5a6576;--rule:#dfe3ea;--good:#2f7ed8;--bad:#cf3f36;--mid:#c98a12;--calm:#24936a;--warn:#fff4dc;--none:#7d8796;
--h0:#eef2f7;--h1:#c3d5ea;--h2:#7fa6d3;--h3:#f0a04b;--h4:#cf6212;--h5:#8a3603}
@media(prefers-color-scheme:dark){:root{--bg:#11151c;--card:#1a202a;--ink:#e7ebf2;--soft:#9aa6b8;--rule:#2b3442;--good:#62a5ee;--bad:#f0746b;--mid:#e2b24e;--calm:#4fc592;--warn:#33290f;--none:#5d6878;
--h0:#232b37;--h1:#2f4869;--h2:#45719f;--h3:#c9812f;--h4:#e89a4b;--h5:#ffc58c}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;-webkit-text-size-adjust:100%}
main{max-width:1180px;margin:0 auto;padding:32px 20px 60px}h1{font-size:26px;line-height:1.25;margin:0}h2{font-size:18px;margin:38px 0 12px}
.sub{color:var(--soft);margin:4px 0 0;font-size:13.5px}.lead{font-size:18px;line-height:1.45;margin:18px 0 20px;max-width:60em}.lead b{font-weight:650}
.note{background:var(--warn);border:1px solid var(--mid);border-radius:10px;padding:10px 16px;margin:16px 0}.hint{color:var(--soft);font-size:13px;margin:8px 0 0}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(155px,1fr));gap:12px}
.tile,figure,.box{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:14px 16px;margin:0;min-width:0}
.tile span{color:var(--soft);font-size:13px;display:block}.tile b{display:block;font-size:25px;line-height:1.3;font-weight:650;font-variant-numeric:tabular-nums;white-space:nowrap}
.stacks{display:grid;grid-template-columns:max-content 1fr max-content;gap:9px 12px;align-items:center;font-size:13.5px;margin:12px 0}.stacks em{color:var(--soft);font-style:normal;text-align:right}
.stacks div{display:flex;height:26px;border-radius:5px;overflow:hidden;gap:2px}.stacks i{min-width:2px;display:flex;align-items:center;justify-content:center;font-style:normal}
.stacks i b{color:#fff;text-shadow:0 0 3px #0007;font-weight:600;font-size:12px}.stacks span:first-child{font-weight:650}.stacks span:first-child+div{height:34px}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:14px}figcaption{font-weight:600;margin-bottom:6px}
svg{width:100%;height:auto;display:block}.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}.tick,.label{fill:var(--soft);font-size:11.5px}.line{fill:none;stroke-width:1.9;stroke-linejoin:round}
.mark{font-size:12px;font-weight:600;fill:var(--ink)}.legend{margin:4px 0 0;color:var(--soft);font-size:13px}.legend span{margin-right:16px;display:inline-block}
.legend i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:6px}
.wide,.plots+.box{margin:14px 0}.scroll{overflow-x:auto}.scroll svg{min-width:720px}.name{fill:var(--ink);font-size:12px}.name.hot{font-weight:700}
.h0{fill:var(--h0);background:var(--h0)}.h1{fill:var(--h1);background:var(--h1)}.h2{fill:var(--h2);background:var(--h2)}.h3{fill:var(--h3);background:var(--h3)}
.h4{fill:var(--h4);background:var(--h4)}.h5{fill:var(--h5);background:var(--h5)}.empty{fill:none;stroke:var(--rule);stroke-width:1}.legend i.empty{border:1px solid var(--rule)}
.box{overflow-x:auto;padding:6px 8px}table{border-collapse:collapse;width:100%;font-size:14px;font-variant-numeric:tabular-nums}th{color:var(--soft);font-weight:550;text-align:left}
th,td{padding:7px 10px;border-bottom:1px solid var(--rule);vertical-align:top}tr:last-child td{border-bottom:0}td.n,th.n{text-align:right;white-space:nowrap}
td.w{overflow-wrap:anywhere}.facts td:first-child{color:var(--soft);white-space:nowrap;width:1%}.facts td{overflow-wrap:anywhere}.two{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:0 14px}
.tag{border-radius:5px;padding:1px 7px;font-size:12px;font-weight:600;border:1px solid}.decline{color:var(--bad)}.review{color:var(--mid)}.approve{color:var(--calm)}
code{font-size:12.5px;overflow-wrap:anywhere}.why{color:var(--soft);font-size:13px}.why span{white-space:nowrap}summary{cursor:pointer}footer{margin-top:40px;color:var(--soft);font-size:13px}
@media(max-width:640px){main{padding:22px 14px 40px}.lead{font-size:16.5px}.tiles{grid-template-columns:1fr 1fr;gap:9px}.tile{padding:10px 12px}.tile b{font-size:20px}
.tile:last-child:nth-child(odd){grid-column:1/-1}.tick,.label{font-size:17px}.label.y{display:none}.mark{font-size:17px}th,td{padding:6px 5px}
.cards tr:first-child{display:none}.cards tr{display:block;padding:9px 4px;border-bottom:1px solid var(--rule)}.cards tr:last-child{border:0}
.cards td{display:flex;gap:10px;border:0;padding:2px 0;text-align:left!important;white-space:normal!important}.cards td:empty{display:none}.cards td::before{content:attr(data-th);flex:0 0 84px;color:var(--soft)}}
"""


class Markup(str):
    """Text that is HTML already, made here; everything else is escaped, for an event may hold any text."""


def number(value):
    """A figure for people: thousands apart, four digits that count, a dash for none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "–"
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e15):
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 10000 else f"{value:.4g}"


def percent(share):
    """0.0032 → "0.32 %"; a dash for a share of nothing."""
    if share is None or not math.isfinite(share):
        return "–"
    value = 100 * share
    return f"{value:.0f} %" if value in (0, 100) else f"{value:.2g} %" if value < 0.01 else f"{value:.2f} %" if value < 1 or value > 98 else f"{value:.1f} %"


def microseconds(value):
    return f"{value:,.0f} µs" if value < 1000 else f"{value / 1000:.3g} ms" if value < 1e6 else f"{value / 1e6:.3g} s"


def cell(value, header="", wide=False):
    kind = "n" if isinstance(value, (int, float)) and not isinstance(value, bool) or isinstance(value, Figure) else "w" if wide else ""
    shown = value if isinstance(value, Markup) else html.escape(number(value))
    return f'<td{f" class={kind}" if kind else ""}{f" data-th={chr(34)}{html.escape(header)}{chr(34)}" if header else ""}>{shown}</td>'


class Figure(str):
    """A text that stands in a column of numbers, such as a percentage."""


def table(header, rows, kind=""):
    numeric = [bool(rows) and (isinstance(v, (int, float)) or isinstance(v, Figure)) for v in (rows[0] if rows else header)]
    head = "".join(f'<th{" class=n" if n else ""}>{html.escape(h)}</th>' for h, n in zip(header, numeric))
    body = "".join("<tr>" + "".join(cell(v, h if kind == "cards" else "") for v, h in zip(row, header)) + "</tr>" for row in rows)
    return f'<div class="box"><table{f" class={kind}" if kind else ""}>' + (f"<tr>{head}</tr>" if any(header) else "") + body + "</table></div>"


def tag(decision):
    name = html.escape(str(decision))
    return Markup(f'<span class="tag {name}">{name}</span>')


def tiles(triples):
    return '<div class="tiles">' + "".join(f'<div class="tile"><span>{html.escape(name)}</span><b>{html.escape(value)}</b><span>{html.escape(more)}</span></div>'
                                           for name, value, more in triples) + "</div>"


def stacks(title, rows, legend):
    """Bars of coloured shares, one per row of [(name, [count of each part])]; legend = [(name, colour)] of the parts."""
    out = [f'<figure><figcaption>{html.escape(title)}</figcaption><div class="stacks">']
    for name, counts in rows:
        total = sum(counts) or 1
        bars = "".join(f'<i style="flex:{count / total:.5f} 1 0;background:var(--{colour})" title="{html.escape(part)}: {count:,}">'
                       + (f"<b>{100 * count / total:.0f} %</b>" if count / total > 0.09 else "") + "</i>"
                       for count, (part, colour) in zip(counts, legend) if count)
        out.append(f'<span>{html.escape(name)}</span><div>{bars}</div><em>{total:,}</em>')
    out.append("</div>" + legend_text(legend) + "</figure>")
    return "".join(out)


def legend_text(parts):
    return '<p class="legend">' + "".join(f'<span><i style="background:var(--{colour})"></i>{html.escape(name)}</span>' for name, colour in parts) + "</p>"


def page(title, body):
    return (f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
            f"<title>{html.escape(title)}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>\n")
