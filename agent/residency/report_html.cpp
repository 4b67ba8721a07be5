#include "agent/residency/report_html.h"

#include "agent/residency/flow_picture.h"
#include "agent/residency/markup.h"
#include "agent/residency/report_document.h"

namespace invlog::residency {
namespace {

constexpr const char* kStyle = R"css(
:root { color-scheme: light; }
* { box-sizing: border-box; }
html { background: #f3f5f7; }
body { margin: 0 auto; max-width: 1120px; padding: 40px 48px 56px; background: #fff; color: #1c2430;
  font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, "Liberation Sans", sans-serif; }
header { border-bottom: 3px solid #1f3a5f; padding-bottom: 14px; margin-bottom: 8px; }
h1 { font-size: 26px; line-height: 1.25; margin: 0 0 4px; color: #1f3a5f; }
header p { margin: 0; color: #46515e; }
nav { margin: 12px 0 0; font-size: 13px; color: #46515e; }
nav a { color: #1f4f8f; margin-right: 14px; white-space: nowrap; }
h2 { font-size: 18px; margin: 36px 0 10px; padding-bottom: 4px; border-bottom: 1px solid #cfd6de; color: #1f3a5f; }
p { margin: 8px 0; max-width: 86ch; }
p.alarm { border-left: 4px solid #b3303c; background: #fbeeee; padding: 8px 12px; font-weight: 600; }
dl { display: grid; grid-template-columns: 17em 1fr; gap: 4px 24px; margin: 12px 0 18px; }
dt { color: #46515e; }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
.scroll { overflow-x: auto; margin: 16px 0; }
table { border-collapse: collapse; width: 100%; font-size: 13px; line-height: 1.4; }
caption { text-align: left; font-weight: 600; padding: 0 0 6px; color: #1c2430; }
th { text-align: left; vertical-align: bottom; color: #46515e; font-weight: 600; border-bottom: 2px solid #9aa6b2; padding: 4px 8px; }
td { vertical-align: top; border-bottom: 1px solid #e3e8ed; padding: 4px 8px; overflow-wrap: break-word; }
td.name { overflow-wrap: anywhere; }
th:first-child, td:first-child { padding-left: 0; }
th:last-child, td:last-child { padding-right: 0; }
td.name, td.text { min-width: 7em; }
td.time { white-space: nowrap; font-variant-numeric: tabular-nums; }
.number { text-align: right; white-space: nowrap; overflow-wrap: normal; font-variant-numeric: tabular-nums; }
tfoot td { border-top: 2px solid #9aa6b2; border-bottom: 0; font-weight: 600; }
code { font: 12px/1.4 ui-monospace, "SF Mono", Menlo, Consolas, "Liberation Mono", monospace; unicode-bidi: isolate; }
figure { margin: 16px 0; }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
svg .heading { font-size: 12px; font-weight: 600; fill: #46515e; }
svg .name { font-size: 12px; font-weight: 600; fill: #1c2430; paint-order: stroke; stroke: #fff; stroke-width: 3px; }
svg .figure { font-size: 11.5px; fill: #46515e; paint-order: stroke; stroke: #fff; stroke-width: 3px; }
svg .band { fill-opacity: .38; }
svg .grid { stroke: #dde3e9; stroke-width: 1; }
footer { margin-top: 40px; border-top: 1px solid #cfd6de; padding-top: 8px; font-size: 12px; color: #46515e; }
@media (max-width: 700px) { body { padding: 20px; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 6px; } }
@page { size: A4; margin: 14mm 13mm; }
@media print {
  html { background: #fff; }
  body { max-width: none; padding: 0; font-size: 9.5pt; }
  nav { display: none; }
  h1 { font-size: 17pt; }
  h2 { font-size: 12.5pt; margin-top: 18pt; break-after: avoid; }
  table { font-size: 7.5pt; }
  th, td { padding: 2pt 4pt; }
  code { font-size: 7pt; }
  dd code { font-size: 8pt; }
  td.name, td.text { min-width: 0; }
  .scroll { overflow: visible; margin: 10pt 0; }
  thead { display: table-header-group; }
  tfoot { display: table-row-group; }
  tr, figure, svg, p.alarm { break-inside: avoid; }
  caption { break-after: avoid; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

std::string inner(const Cell& cell) {
  const std::string text = escaped_markup(cell.text);
  return cell.kind == Cell::Kind::name ? "<code>" + text + "</code>" : text;
}

const char* class_of(const Cell& cell, const Column& column) {
  return column.number || cell.kind == Cell::Kind::number ? "number"
         : cell.kind == Cell::Kind::name                  ? "name"
         : cell.kind == Cell::Kind::time                  ? "time"
                                                          : "text";
}

class HtmlBlocks {
 public:
  HtmlBlocks(const Report& report, std::string& html) : report_(report), html_(html) {}

  void operator()(const Paragraph& paragraph) {
    html_ += (paragraph.alarm ? "<p class=\"alarm\">" : "<p>") + escaped_markup(paragraph.text) +
             "</p>\n";
  }

  void operator()(const Facts& facts) {
    html_ += "<dl>\n";
    for (const auto& [name, value] : facts.lines) {
      html_ += "<dt>" + escaped_markup(name) + "</dt><dd>" + inner(value) + "</dd>\n";
    }
    html_ += "</dl>\n";
  }

  // A wide table can be scrolled, by keyboard too.
  void operator()(const Table& table) {
    const std::string caption = escaped_markup(table.caption);
    html_ += "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"" + caption +
             "\">\n<table>\n<caption>" + caption + "</caption>\n<thead><tr>";
    for (const Column& column : table.columns) {
      html_ += std::string("<th scope=\"col\"") + (column.number ? " class=\"number\">" : ">") +
               escaped_markup(column.title) + "</th>";
    }
    html_ += "</tr></thead>\n<tbody>\n";
    const std::size_t body = table.rows.size() - (table.total ? 1 : 0);
    for (std::size_t row = 0; row < table.rows.size(); ++row) {
      html_ += row == body ? "</tbody>\n<tfoot>\n" : "";
      add_row(table, table.rows[row]);
    }
    html_ += table.total ? "</tfoot>\n</table>\n</div>\n" : "</tbody>\n</table>\n</div>\n";
  }

  void operator()(Picture picture) {
    html_ += "<figure>\n" +
             (picture == Picture::daily ? daily_picture(report_) : flow_picture(report_)) +
             "</figure>\n";
  }

 private:
  void add_row(const Table& table, const std::vector<Cell>& cells) {
    html_ += "<tr>";
    for (std::size_t at = 0; at < cells.size(); ++at) {
      html_ += std::string("<td class=\"") + class_of(cells[at], table.columns[at]) + "\">" +
               inner(cells[at]) + "</td>";
    }
    html_ += "</tr>\n";
  }

  const Report& report_;
  std::string& html_;
};

}  // namespace

std::string report_html(const Report& report) {
  const Document document = report_document(report);
  const std::string title = escaped_markup(document.title);
  const std::string subtitle = escaped_markup(document.subtitle);
  std::string html =
      "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
      "<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\"/>\n"
      "<meta name=\"generator\" content=\"invlog " +
      escaped_markup(report.version) + "\"/>\n<title>" + title + ", " + subtitle +
      "</title>\n<style>" + kStyle + "</style>\n</head>\n<body>\n<header>\n<h1>" + title +
      "</h1>\n<p>" + subtitle + "</p>\n<nav aria-label=\"Sections\">\n";
  for (const Section& section : document.sections) {
    html += "<a href=\"#" + section.id + "\">" + escaped_markup(section.title) + "</a>\n";
  }
  html += "</nav>\n</header>\n<main>\n";
  HtmlBlocks blocks(report, html);
  for (const Section& section : document.sections) {
    html += "<section aria-labelledby=\"" + section.id + "\">\n<h2 id=\"" + section.id + "\">" +
            escaped_markup(section.title) + "</h2>\n";
    for (const Block& block : section.blocks) {
      std::visit(blocks, block);
    }
    html += "</section>\n";
  }
  return html + "</main>\n<footer>Made " + time_or_nothing(report.made_at_us) + " by invlog " +
         escaped_markup(report.version) + " from " + escaped_markup(report.store_path) +
         ".</footer>\n</body>\n</html>\n";
}

}  // namespace invlog::residency
