//! Colours and fonts of the SVG. The hues are those of Okabe and Ito ("Color Universal Design", 2008),
//! which people with any colour vision tell apart; shapes say the same again.

/// The style sheet. Light unless the reader prefers dark.
pub(super) const STYLE: &str = "
text { font-family: system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; fill: #1b2733; }
.page { fill: #ffffff; }
.panel { fill: #f4f6f8; stroke: #c3ccd5; }
.group { fill: #ffffff; stroke: #d6dde4; }
.around { fill: none; stroke: #7c8894; stroke-dasharray: 3 4; }
.title { font-size: 20px; font-weight: 600; }
.head { font-size: 13px; font-weight: 600; }
.quiet, .caption, .label-text, .key { font-size: 11.5px; }
.quiet, .caption { fill: #566472; }
.caption, .label-text, .name, .number, .badge-text { text-anchor: middle; }
.head, .quiet, .caption { paint-order: stroke; stroke: #f4f6f8; stroke-width: 3px; stroke-linejoin: round; }
.name { font-size: 13px; }
.number, .dot { font-size: 10.5px; }
.node { stroke-width: 1.6; }
.server { fill: #d6e8f5; stroke: #0072b2; }
.client { fill: #fdf0d2; stroke: #b87d00; }
.peer { fill: #d3f0e6; stroke: #00805d; }
.image { fill: #f6e3ee; stroke: #a8527f; }
.host { fill: #eceef0; stroke: #5c6670; }
.router { fill: #e4e4ea; stroke: #4a4f5c; }
.wire { stroke: #7c8894; stroke-width: 1.8; }
.knows { stroke: #00805d; stroke-width: 1; stroke-opacity: 0.5; }
.asks { stroke: #8a6a1f; stroke-width: 1.1; }
.asks-head, .bundle-head { fill: #8a6a1f; stroke: none; }
.bundle { stroke-width: 3; }
.link { stroke: #0072b2; stroke-width: 1.6; stroke-dasharray: 7 3; }
.fault { stroke: #c04a00; stroke-width: 1.8; stroke-dasharray: 2 4; stroke-linecap: round; }
.label { fill: #ffffff; stroke: #c3ccd5; }
.badge { fill: #c04a00; stroke: #ffffff; }
.badge-text { font-size: 10px; font-weight: 700; fill: #ffffff; }
@media (prefers-color-scheme: dark) {
text { fill: #e3e9ef; }
.page { fill: #12171d; }
.panel { fill: #1a2129; stroke: #3a4652; }
.group { fill: #202932; stroke: #364350; }
.quiet, .caption { fill: #9fb0bf; }
.head, .quiet, .caption { stroke: #1a2129; }
.server { fill: #123a54; stroke: #56b4e9; }
.client { fill: #4a3606; stroke: #e6a21e; }
.peer { fill: #0b4435; stroke: #2ec79b; }
.image { fill: #4a2439; stroke: #dd8fb8; }
.host { fill: #2c333a; stroke: #a8b4bf; }
.router { fill: #363b46; stroke: #b4bac6; }
.wire { stroke: #8795a3; }
.knows { stroke: #2ec79b; }
.asks { stroke: #d0a850; }
.asks-head, .bundle-head { fill: #d0a850; }
.link { stroke: #56b4e9; }
.fault { stroke: #ff8a4d; }
.label { fill: #12171d; stroke: #3a4652; }
.badge { fill: #ff8a4d; stroke: #12171d; }
.badge-text { fill: #12171d; }
}
";
