#include "agent/residency/flow_picture.h"

#include <algorithm>
#include <cstdio>

#include "agent/cli/display_text.h"
#include "agent/residency/markup.h"
#include "agent/residency/report_document.h"

namespace invlog::residency {
namespace {

// In units of the viewBox.
constexpr double kWidth = 1000, kHeading = 26, kLabel = 32, kGap = 14, kBandsHeight = 240;
constexpr double kNodeWidth = 12, kLeastNode = 2, kLeastBand = 0.8;
constexpr std::array<double, FlowGraph::kColumns> kLeft = {0, 190, 510, 800};
constexpr std::array<std::size_t, FlowGraph::kColumns> kCharacters = {24, 41, 37, 26};
constexpr std::array<const char*, FlowGraph::kColumns> kHeadings = {
    "Source Region", "Inference profile and scope", "May be processed in", "Was processed in"};
constexpr const char* kGrey = "#5b6570";

// "12.5": one digit is enough for a picture, and independent of the locale.
std::string coordinate(double number) {
  const auto tenths = static_cast<long long>(number * 10 + 0.5);
  std::string text = std::to_string(tenths / 10);
  if (tenths % 10 != 0) {
    text += "." + std::to_string(tenths % 10);
  }
  return text;
}

struct Box {
  double top = 0, height = 0;            // of the bar; its label stands above
  double used_left = 0, used_right = 0;  // by bands that come and go
};

class FlowLayout {
 public:
  explicit FlowLayout(const FlowGraph& graph)
      : graph_(graph), scale_(kBandsHeight / static_cast<double>(graph.calls)) {
    for (std::size_t column = 0; column < FlowGraph::kColumns; ++column) {
      height_ = std::max(height_, column_height(column));
    }
    for (std::size_t column = 0; column < FlowGraph::kColumns; ++column) {
      place(column);
    }
  }

  double height() const { return kHeading + height_; }
  const Box& box(std::size_t column, std::size_t node) const { return boxes_[column][node]; }

  // The band's path; each call takes its place at both ends.
  std::string band(const FlowLink& link) {
    Box& from = boxes_[link.column][link.from];
    Box& to = boxes_[link.column + 1][link.to];
    const double width = static_cast<double>(link.calls) * scale_;
    const double start = from.top + from.used_right, end = to.top + to.used_left;
    from.used_right += width;
    to.used_left += width;
    const double drawn = std::max(width, kLeastBand);
    const double left = kLeft[link.column] + kNodeWidth, right = kLeft[link.column + 1];
    const std::string middle = coordinate((left + right) / 2);
    const auto curve = [&](double x, double y) {
      return " " + coordinate(x) + "," + coordinate(y);
    };
    const auto middle_at = [&](double y) { return " " + middle + "," + coordinate(y); };
    return "M" + curve(left, start) + " C" + middle_at(start) + middle_at(end) + curve(right, end) +
           " L" + curve(right, end + drawn) + " C" + middle_at(end + drawn) +
           middle_at(start + drawn) + curve(left, start + drawn) + " Z";
  }

 private:
  double bar_height(const FlowNode& node) const {
    return std::max(static_cast<double>(node.calls) * scale_, kLeastNode);
  }

  double column_height(std::size_t column) const {
    double height = 0;
    for (const FlowNode& node : graph_.columns[column]) {
      height += kLabel + bar_height(node) + kGap;
    }
    return height;
  }

  void place(std::size_t column) {
    double top = kHeading;
    for (const FlowNode& node : graph_.columns[column]) {
      boxes_[column].push_back({top + kLabel, bar_height(node), 0, 0});
      top += kLabel + bar_height(node) + kGap;
    }
  }

  const FlowGraph& graph_;
  const double scale_;
  double height_ = 0;
  std::array<std::vector<Box>, FlowGraph::kColumns> boxes_;
};

std::string text_at(double x, double y, const char* kind, const std::string& text) {
  return "<text class=\"" + std::string(kind) + "\" x=\"" + coordinate(x) + "\" y=\"" +
         coordinate(y) + "\">" + escaped_markup(text) + "</text>";
}

std::string calls_text(std::int64_t calls) {
  return calls == 1 ? "1 call" : spaced(calls) + " calls";
}

std::string node_markup(const FlowGraph& graph, const FlowNode& node, std::size_t column,
                        const Box& box) {
  const double left = kLeft[column];
  const std::string scope =
      column == 1 && node.scoped ? std::string(scope_name(node.scope)) + ", " : "";
  const std::string figures =
      scope + calls_text(node.calls) + " (" + percentage(node.calls, graph.calls) + ")";
  return "<g><title>" + escaped_markup(node.name + ": " + figures) + "</title>" +
         text_at(left, box.top - 18, "name",
                 cli::cut_to_width(visible_line(node.name), kCharacters[column])) +
         text_at(left, box.top - 5, "figure", figures) + "<rect class=\"node\" data-column=\"" +
         std::to_string(column) + "\" data-calls=\"" + std::to_string(node.calls) + "\" x=\"" +
         coordinate(left) + "\" y=\"" + coordinate(box.top) + "\" width=\"" +
         coordinate(kNodeWidth) + "\" height=\"" + coordinate(box.height) + "\" fill=\"" +
         (node.scoped ? scope_color(node.scope) : kGrey) + "\"/></g>\n";
}

std::string band_markup(const FlowGraph& graph, const FlowLink& link, const std::string& path) {
  const std::string title = graph.columns[link.column][link.from].name + " to " +
                            graph.columns[link.column + 1][link.to].name + ": " +
                            calls_text(link.calls) + ", " + scope_name(link.scope);
  return "<path class=\"band\" data-column=\"" + std::to_string(link.column) + "\" data-calls=\"" +
         std::to_string(link.calls) + "\" fill=\"" + scope_color(link.scope) + "\" d=\"" + path +
         "\"><title>" + escaped_markup(title) + "</title></path>\n";
}

}  // namespace

const char* scope_color(std::size_t scope) {
  constexpr const char* kColors[kScopes] = {"#1f7a5c", "#2f6db5", "#b4690e", "#7a828c", "#b3303c"};
  return kColors[scope];
}

std::string scope_legend(const std::array<std::int64_t, kScopes>& calls, int x, int y) {
  std::string legend = "<g class=\"legend\">";
  for (std::size_t scope = 0; scope < kScopes; ++scope) {
    if (calls[scope] == 0) {
      continue;
    }
    const std::string text = std::string(scope_name(scope)) + " " + spaced(calls[scope]);
    legend += "<rect x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y - 10) +
              "\" width=\"11\" height=\"11\" fill=\"" + scope_color(scope) + "\"/>" +
              text_at(x + 16, y, "figure", text);
    x += 40 + 7 * static_cast<int>(cli::display_width(text));
  }
  return legend + "</g>\n";
}

std::string flow_picture(const Report& report) {
  const FlowGraph graph = flow_graph(report);
  if (graph.calls == 0) {
    return "";
  }
  FlowLayout layout(graph);
  std::array<std::int64_t, kScopes> by_scope{};
  for (const FlowRow& row : report.flows) {
    by_scope[scope_index(row.scope, row.not_sent)] += row.volume.calls;
  }
  std::string svg =
      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"flow-title "
      "flow-desc\" viewBox=\"0 0 " +
      coordinate(kWidth) + " " + coordinate(layout.height() + 24) + "\">\n" +
      "<title id=\"flow-title\">Where calls may have been processed, and where they were</title>\n"
      "<desc id=\"flow-desc\">Bands from the source Region by way of inference profiles to the "
      "Regions; the table below has the same figures.</desc>\n";
  for (std::size_t column = 0; column < FlowGraph::kColumns; ++column) {
    svg += text_at(kLeft[column], 12, "heading", kHeadings[column]);
  }
  svg += '\n';
  for (const FlowLink& link : graph.links) {
    svg += band_markup(graph, link, layout.band(link));
  }
  for (std::size_t column = 0; column < FlowGraph::kColumns; ++column) {
    for (std::size_t node = 0; node < graph.columns[column].size(); ++node) {
      svg += node_markup(graph, graph.columns[column][node], column, layout.box(column, node));
    }
  }
  return svg + scope_legend(by_scope, 0, static_cast<int>(layout.height()) + 16) + "</svg>\n";
}

}  // namespace invlog::residency
