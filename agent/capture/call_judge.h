// What policy says of one call before it leaves the host, whichever path names its model: fills in
// the residency fields of its record, and says whether it must be refused.
//
// Paths that name a model: /model/{id}/…, all of them. Bodies that do: the OpenAI paths ("model"),
// /async-invoke ("modelId"), and any other path's JSON body with one of these members; a body is
// read only if a policy or the record asks. A body that names several models is judged by each; one
// that cannot be read may name any, unless its path is known to have no model.
//
// Thread: the I/O thread. Ownership: owns a JSON parser, and shares the policy with the calls under
// way. Errors: none; what cannot be read is a model of which nothing is known.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/bedrock/invocation.h"
#include "agent/bedrock/operation.h"
#include "agent/capture/http_message.h"
#include "agent/residency/policy.h"

namespace invlog::bedrock {
class JsonText;
}

namespace invlog::capture {

struct Judgement {
  residency::Decision decision = residency::Decision::allow;
  std::string reason;  // for people; "" if the call names no model
  bedrock::Residency residency;
};

class CallJudge {
 public:
  CallJudge(config::PolicyConfig policy, std::string source_region);
  ~CallJudge();

  // Until then no profile is known.
  void set_profiles(residency::FindProfile profiles) { profiles_ = std::move(profiles); }

  // For the call that begins now: it is judged by it, whatever is changed meanwhile.
  std::shared_ptr<const residency::Policy> policy() const { return policy_; }
  void set_policy(config::PolicyConfig policy);

  // The Content-Encoding that must come off `body` before it can be judged; "": none, or the model
  // is not in the body.
  static std::string coding_to_undo(const residency::Policy& policy, const RequestHead& request,
                                    const std::optional<bedrock::Target>& target,
                                    const std::string& body);
  // How long a decoded body may be, bytes. Without a policy the model is only noted.
  static std::size_t most_decoded(const residency::Policy& policy);

  // `target` is empty for a call that becomes no record. `caller`: as Policy::judge()'s. `body` has
  // no coding any more, is "" if it cannot be read, and may get room behind its end.
  Judgement judge(const residency::Policy& policy, const RequestHead& request,
                  const std::optional<bedrock::Target>& target, const std::string& caller,
                  std::string& body);

  // Details of the event that stands for refusals of calls that become no records, as JSON; "" if
  // this rule was told of this model before, or so many were that a client must be playing: their
  // number is in the statistics.
  std::string event_of(const Judgement& judgement, const std::string& target);

 private:
  std::vector<std::string> models_of(const RequestHead& request,
                                     const std::optional<bedrock::Target>& target,
                                     std::string& body);
  std::optional<std::vector<std::string>> models_in(std::string& body);
  Judgement judge_model(const residency::Policy& policy, const std::string& model_id,
                        const std::string& caller) const;

  std::shared_ptr<const residency::Policy> policy_;
  std::string source_region_;
  residency::FindProfile profiles_;
  std::unique_ptr<bedrock::JsonText> json_;
  std::set<std::string> told_;
};

}  // namespace invlog::capture
