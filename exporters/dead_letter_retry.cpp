#include "exporters/dead_letter_retry.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>

namespace invlog::exporters {

struct DeadLetterRetry::Selection {
  std::unique_ptr<Batch> batch;
  std::vector<storage::DeadLetter> in_batch;
  std::map<std::int64_t, std::string> refused;  // by record
  std::vector<storage::DeadLetter> letters;     // of `refused`
};

DeadLetterRetry::Outcome DeadLetterRetry::attempt(storage::DeliveryLedger& ledger,
                                                  std::vector<storage::DeadLetter> letters,
                                                  const Origin& origin) {
  // Batches take records in the order of ids; dead letters come in the order in which they died.
  std::sort(letters.begin(), letters.end(),
            [](const auto& a, const auto& b) { return a.record < b.record; });
  Selection selection;
  const std::int64_t newest_event = ledger.newest_event();
  selection.batch = destination_.begin(origin, "", true);
  select(selection, letters);
  Outcome outcome;
  ledger.note_retry(destination_.name(), selection.in_batch, destination_.target());
  if (ledger.erased_since(newest_event)) {
    return outcome;  // in that order: whoever erases looks at the attempts afterwards
  }
  if (selection.in_batch.empty() || send(selection, outcome)) {
    settle(ledger, selection, outcome);
  }
  return outcome;
}

void DeadLetterRetry::select(Selection& selection,
                             const std::vector<storage::DeadLetter>& letters) {
  Batch& batch = *selection.batch;
  const auto refuse = [&selection](const storage::DeadLetter& letter, const std::string& reason) {
    selection.refused[letter.record] = reason;
    selection.letters.push_back(letter);
  };
  for (const storage::DeadLetter& letter : letters) {
    const auto record = filler_.read(letter.record);
    if (!record) {
      refuse(letter, record.error());
    } else if (!*record) {
      refuse(letter, "the store does not have this record any more");
    } else if (batch.add(**record) == Batch::Added::taken) {
      selection.in_batch.push_back(letter);
    } else if (batch.records() > 0) {
      return;
    } else {
      refuse(letter, "it does not fit into a batch, even alone");
    }
    const bool alone = batch.records() > 0 && !batch.plan().empty();
    if (alone || batch.full() || (most_records_ != 0 && batch.records() >= most_records_)) {
      return;
    }
  }
}

// False: there is nothing to settle.
bool DeadLetterRetry::send(Selection& selection, Outcome& outcome) {
  SendResult result = selection.batch->send();
  const std::size_t records = selection.in_batch.size();
  if (result) {
    outcome.sent = std::move(*result);
    most_records_ = 0;
    return true;
  }
  if (result.error().kind != aws::FailureKind::rejected) {
    outcome.failure = std::move(result.error());
    return false;
  }
  if (records > 1) {
    most_records_ = records / 2;  // the next attempt finds out which of them it is
    return false;
  }
  most_records_ = 0;
  outcome.sent.refused = {{selection.in_batch.front().record, result.error().message}};
  return true;
}

void DeadLetterRetry::settle(storage::DeliveryLedger& ledger, const Selection& selection,
                             Outcome& outcome) {
  std::map<std::int64_t, std::string> reasons = selection.refused;
  for (const Refused& refused : outcome.sent.refused) {
    reasons[refused.record] = refused.reason;
  }
  std::vector<std::int64_t> delivered;
  std::vector<storage::DeadLetter> refused;
  const auto sort_in = [&](const storage::DeadLetter& letter) {
    const auto reason = reasons.find(letter.record);
    if (reason == reasons.end()) {
      delivered.push_back(letter.id);
      return;
    }
    storage::DeadLetter again = letter;
    again.reason = reason->second;
    again.retry = false;
    again.at_us = 0;  // now
    refused.push_back(std::move(again));
    outcome.refused.push_back({letter.record, reason->second});
  };
  std::for_each(selection.in_batch.begin(), selection.in_batch.end(), sort_in);
  std::for_each(selection.letters.begin(), selection.letters.end(), sort_in);
  ledger.settle_retries(delivered, refused, destination_.name(), destination_.target(),
                        outcome.sent.objects, static_cast<std::int64_t>(outcome.sent.bytes));
  outcome.delivered = delivered.size();
}

}  // namespace invlog::exporters
