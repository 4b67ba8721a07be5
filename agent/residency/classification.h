// What a call's model id means for where the call may be processed: asked for each call before it
// is forwarded, so it costs no I/O and no more than a look into a table.
//
// Pure function of its arguments; any thread; never throws for what a client sent.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/residency/profile.h"

namespace invlog::residency {

struct Classification {
  Scope scope = Scope::unknown;
  std::string
      profile;  // inference profile's id as the catalogue has it, or as the id names it; "" none
  std::string geography;  // "eu"; "" none or unknown
  // Regions where the call may be processed, sorted; empty: any commercial Region if scope is
  // global, else unknown.
  std::vector<std::string> destinations;
  std::string model;  // the foundation model's id behind it, "" if it cannot be told
  // Why it is unknown, or how it is known, in a few words for people: "the catalogue (built in)",
  // "no such profile in the catalogue".
  std::string source;

  // As records have it: "eu-central-1,eu-west-1"; "*" global; "" unknown.
  std::string destinations_text() const;
};

// The catalogue's answer for an inference profile's id or the last part of its ARN, and for the
// whole ARN of an application profile that was not found by that; null if it has none.
using FindProfile = std::function<std::shared_ptr<const Profile>(std::string_view id)>;

// `model_id` as the caller sent it, percent-decoded: a foundation model's id, an inference
// profile's id, or an ARN of either, of a provisioned, custom or imported model, of a prompt or of
// an endpoint. An ARN of another Region has that Region as its destination; one with an empty
// Region is global.
Classification classify(std::string_view model_id, std::string_view source_region,
                        const FindProfile& find);

}  // namespace invlog::residency
