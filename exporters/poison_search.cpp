#include "exporters/poison_search.h"

namespace invlog::exporters {

std::size_t PoisonSearch::most_records() const {
  return suspects_ > 1 ? suspects_ / 2 : suspects_;
}

PoisonSearch::Verdict PoisonSearch::rejected(std::size_t records) {
  suspects_ = records;
  if (records > 1) {
    return Verdict::smaller;
  }
  return others_arrived_ ? Verdict::poison : Verdict::doubtful;
}

void PoisonSearch::delivered(std::size_t records) {
  suspects_ = suspects_ > records ? suspects_ - records : 0;
  others_arrived_ = suspects_ > 0;
}

void PoisonSearch::start_over() {
  suspects_ = 0;
  others_arrived_ = false;
}

}  // namespace invlog::exporters
