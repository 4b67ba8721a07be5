// Builds the families that prometheus-cpp's serializer takes, a line each.
//
// A value; any thread. Errors: none but lack of memory.
#pragma once

#include <prometheus/metric_family.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "agent/capture/call_counts.h"

namespace invlog::admin {

class MetricFamilies {
 public:
  using Labels = std::vector<prometheus::ClientMetric::Label>;

  // A family; value() and histogram() add to the last one.
  MetricFamilies& counter(std::string name, std::string help);
  MetricFamilies& gauge(std::string name, std::string help);
  template <class Number>
  MetricFamilies& value(Number number, Labels labels = {}) {
    add_value(static_cast<double>(number), std::move(labels));
    return *this;
  }
  void histogram(std::string name, std::string help, const capture::DurationCounts& counts);

  // The text format. A family without a value is left out.
  std::string text() const;

 private:
  void add_value(double number, Labels labels);
  std::vector<prometheus::MetricFamily> families_;
};

}  // namespace invlog::admin
