#include <algorithm>
#include <string>

#include "agent/residency/flow_picture.h"
#include "agent/residency/markup.h"
#include "agent/residency/report_document.h"

namespace invlog::residency {
namespace {

// In units of the viewBox.
constexpr double kWidth = 1000, kLeft = 70, kTop = 10, kPlotHeight = 170;
constexpr double kBottom = kTop + kPlotHeight;
constexpr std::size_t kMostNames = 11;

std::string coordinate(double number) {
  const auto hundredths = static_cast<long long>(number * 100 + 0.5);
  const long long rest = hundredths % 100;
  return std::to_string(hundredths / 100) +
         (rest == 0 ? "" : (rest < 10 ? ".0" : ".") + std::to_string(rest));
}

// The distance of lines so that at most four go up to `most`: 1, 2 or 5 times a power of ten.
std::int64_t grid_step(std::int64_t most) {
  std::int64_t step = 1;
  while (true) {
    for (const std::int64_t factor : {1, 2, 5}) {
      if (step * factor * 4 >= most) {
        return step * factor;
      }
    }
    step *= 10;
  }
}

std::string text_at(double x, double y, const char* anchor, const std::string& text) {
  return "<text class=\"figure\" text-anchor=\"" + std::string(anchor) + "\" x=\"" + coordinate(x) +
         "\" y=\"" + coordinate(y) + "\">" + escaped_markup(text) + "</text>\n";
}

class DailyPicture {
 public:
  explicit DailyPicture(const TimeBuckets& time) : time_(time) {
    std::int64_t most = 1;
    for (const TimeBucket& bucket : time.buckets) {
      most = std::max(most, bucket.sums.volume.calls);
    }
    step_ = grid_step(most);
    top_ = (most + step_ - 1) / step_ * step_;
    pitch_ = (kWidth - kLeft) / static_cast<double>(time.buckets.size());
  }

  std::string grid() const {
    std::string svg;
    for (std::int64_t value = 0; value <= top_; value += step_) {
      const double y = kBottom - height_of(value);
      svg += "<line class=\"grid\" x1=\"" + coordinate(kLeft) + "\" x2=\"" + coordinate(kWidth) +
             "\" y1=\"" + coordinate(y) + "\" y2=\"" + coordinate(y) + "\"/>\n" +
             text_at(kLeft - 8, y + 4, "end", spaced(value));
    }
    return svg;
  }

  std::string bars() const {
    std::string svg;
    for (std::size_t at = 0; at < time_.buckets.size(); ++at) {
      if (time_.buckets[at].sums.volume.calls > 0) {
        svg += bar(time_.buckets[at], kLeft + pitch_ * static_cast<double>(at));
      }
    }
    return svg;
  }

  std::string names() const {
    std::string svg;
    const std::size_t every = (time_.buckets.size() + kMostNames - 1) / kMostNames;
    for (std::size_t at = 0; at < time_.buckets.size(); at += every) {
      svg += text_at(kLeft + pitch_ * (static_cast<double>(at) + 0.5), kBottom + 18, "middle",
                     time_.buckets[at].name);
    }
    return svg;
  }

 private:
  double height_of(std::int64_t calls) const {
    return kPlotHeight * static_cast<double>(calls) / static_cast<double>(top_);
  }

  std::string bar(const TimeBucket& bucket, double left) const {
    constexpr double kWidest = 40;
    const double width = std::min(pitch_ * 0.8, kWidest);
    left += (pitch_ - width) / 2;
    std::string title = bucket.name + ": " + spaced(bucket.sums.volume.calls) + " calls";
    std::string parts;
    std::int64_t below = 0;
    for (std::size_t scope = 0; scope < kScopes; ++scope) {
      const std::int64_t calls = bucket.sums.calls_by_scope[scope];
      if (calls == 0) {
        continue;
      }
      title += ", " + spaced(calls) + " " + scope_name(scope);
      below += calls;
      parts += "<rect data-calls=\"" + std::to_string(calls) + "\" x=\"" + coordinate(left) +
               "\" y=\"" + coordinate(kBottom - height_of(below)) + "\" width=\"" +
               coordinate(width) + "\" height=\"" + coordinate(height_of(calls)) + "\" fill=\"" +
               scope_color(scope) + "\"/>";
    }
    return "<g class=\"bar\"><title>" + escaped_markup(title) + "</title>" + parts + "</g>\n";
  }

  const TimeBuckets& time_;
  std::int64_t step_ = 1, top_ = 1;
  double pitch_ = 1;
};

}  // namespace

std::string daily_picture(const Report& report) {
  if (report.total.calls == 0) {
    return "";
  }
  const TimeBuckets time = time_buckets(report.days);
  std::array<std::int64_t, kScopes> by_scope{};
  for (const TimeBucket& bucket : time.buckets) {
    for (std::size_t scope = 0; scope < kScopes; ++scope) {
      by_scope[scope] += bucket.sums.calls_by_scope[scope];
    }
  }
  const DailyPicture picture(time);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-labelledby=\"daily-title "
         "daily-desc\" viewBox=\"0 0 " +
         coordinate(kWidth) + " " + coordinate(kBottom + 50) +
         "\">\n<title id=\"daily-title\">Calls per " + std::string(time.unit) +
         "</title>\n<desc id=\"daily-desc\">Bars of calls, stacked by scope; a table below has the "
         "same figures.</desc>\n" +
         picture.grid() + picture.bars() + picture.names() +
         scope_legend(by_scope, static_cast<int>(kLeft), static_cast<int>(kBottom) + 42) +
         "</svg>\n";
}

}  // namespace invlog::residency
