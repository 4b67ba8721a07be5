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
  return in_a_row_ + 1 >= kSuspicious ? Verdict::configuration : Verdict::poison;
}

void PoisonSearch::buried() {
  suspects_ = 0;
  ++in_a_row_;
}

void PoisonSearch::delivered(std::size_t records) {
  suspects_ = suspects_ > records ? suspects_ - records : 0;
  in_a_row_ = 0;
}

}  // namespace invlog::exporters
