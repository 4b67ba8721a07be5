#include "agent/capture/memory_budget.h"

#include <iterator>
#include <utility>

namespace invlog::capture {

MemoryBudget::Arriving::Arriving(MemoryBudget& budget, Time since, std::function<void()> cut)
    : budget_(budget), number_(budget.next_number_++), since_(since), cut_(std::move(cut)) {
  place_ = budget_.arriving_.insert(budget_.arriving_.end(), this);
}

void MemoryBudget::Arriving::stop_waiting() {
  if (waiter_ == nullptr)
    return;
  Waiter& waiter = *waiter_;
  budget_.remove(waiter);
  waiter.over.set();
  budget_.let_in();  // those that it has held up
}

MemoryBudget::Waiter::Waiter(MemoryBudget& all, std::uint64_t wanted, std::uint64_t held,
                             Arriving* body)
    : budget(all),
      bytes(wanted),
      own(held),
      arriving(body),
      number(body != nullptr ? body->number_ : all.next_number_++) {
  auto before = budget.waiting_.end();
  while (before != budget.waiting_.begin() && (*std::prev(before))->number > number)
    --before;
  place = budget.waiting_.insert(before, this);
  budget.held_by_waiting_ += own;
  if (arriving != nullptr)
    arriving->waiter_ = this;
}

MemoryBudget::Waiter::~Waiter() {
  if (waits)
    budget.remove(*this);
}

bool MemoryBudget::take_at_once(std::uint64_t bytes, std::uint64_t own, const Arriving* arriving) {
  // One that was cut ends at once, and must not wait before that.
  if (arriving == nullptr || !arriving->was_cut_) {
    if (!fits(bytes, own))
      return false;
    const std::uint64_t number = arriving != nullptr ? arriving->number_ : next_number_;
    for (const Waiter* waiter : waiting_) {
      if (waiter->number > number)
        break;
      if (waiter->impatient)
        return false;
    }
  }
  used_ += bytes;
  return true;
}

Task<bool> MemoryBudget::take_when_room(std::uint64_t bytes, std::uint64_t own,
                                        Arriving* arriving) {
  if (take_at_once(bytes, own, arriving))
    co_return true;
  Waiter waiter(*this, bytes, own, arriving);
  // With this one, perhaps nobody gets on.
  let_in();
  co_await waiter.over.wait();
  co_return waiter.admitted;
}

void MemoryBudget::let_in() {
  for (auto at = waiting_.begin(); at != waiting_.end() && used_ < limit_;) {
    Waiter& waiter = **at++;
    if (fits(waiter.bytes, waiter.own)) {
      let_in(waiter);
    } else if (waiter.impatient) {
      break;
    }
  }
  if (held_by_waiting_ < used_)
    return;
  for (Waiter* waiter : waiting_) {
    if (waiter->own > 0) {
      let_in(*waiter);
      return;
    }
  }
}

void MemoryBudget::let_in(Waiter& waiter) {
  remove(waiter);
  used_ += waiter.bytes;
  waiter.admitted = true;
  waiter.over.set();
}

void MemoryBudget::remove(Waiter& waiter) {
  waiting_.erase(waiter.place);
  held_by_waiting_ -= waiter.own;
  waiter.waits = false;
  if (waiter.arriving != nullptr)
    waiter.arriving->waiter_ = nullptr;
}

MemoryBudget::Ticked MemoryBudget::tick(Time now, std::chrono::milliseconds limit) {
  Ticked ticked;
  if (waiting_.empty())
    return ticked;
  for (Waiter* waiter : waiting_) {
    if (!waiter->since)
      waiter->since = now;
    if (!waiter->impatient && now - *waiter->since >= kPatience) {
      waiter->impatient = true;
      ++ticked.out_of_patience;
    }
  }
  for (Arriving* arriving : arriving_) {
    if (arriving->waiter_ != nullptr)
      arriving->since_ = now;
    if (arriving->was_cut_ || now - arriving->since_ <= limit)
      continue;
    arriving->was_cut_ = true;
    ++ticked.cut;
    arriving->cut_();
  }
  return ticked;
}

}  // namespace invlog::capture
