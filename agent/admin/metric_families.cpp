#include "agent/admin/metric_families.h"

#include <prometheus/text_serializer.h>

#include <limits>
#include <sstream>

namespace invlog::admin {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamilies& MetricFamilies::counter(std::string name, std::string help) {
  families_.push_back({std::move(name), std::move(help), MetricType::Counter, {}});
  return *this;
}

MetricFamilies& MetricFamilies::gauge(std::string name, std::string help) {
  families_.push_back({std::move(name), std::move(help), MetricType::Gauge, {}});
  return *this;
}

void MetricFamilies::add_value(double number, Labels labels) {
  ClientMetric metric;
  metric.label = std::move(labels);
  if (families_.back().type == MetricType::Counter) {
    metric.counter.value = number;
  } else {
    metric.gauge.value = number;
  }
  families_.back().metric.push_back(std::move(metric));
}

void MetricFamilies::histogram(std::string name, std::string help,
                               const capture::DurationCounts& counts) {
  ClientMetric metric;
  std::uint64_t below = 0;
  const auto& bounds = capture::DurationCounts::kBounds;
  for (std::size_t bucket = 0; bucket <= bounds.size(); ++bucket) {
    below += counts.in_bucket(bucket);
    metric.histogram.bucket.push_back(
        {below, bucket < bounds.size() ? bounds[bucket] : std::numeric_limits<double>::infinity()});
  }
  metric.histogram.sample_count = below;
  metric.histogram.sample_sum = counts.sum_seconds();
  families_.push_back({std::move(name), std::move(help), MetricType::Histogram, {metric}});
}

std::string MetricFamilies::text() const {
  std::vector<MetricFamily> with_values;
  for (const MetricFamily& family : families_) {
    if (!family.metric.empty()) {
      with_values.push_back(family);
    }
  }
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, with_values);
  return out.str();
}

}  // namespace invlog::admin
